"""One command per verb; parses, calls, prints. Each imports what is heavy when it is called."""

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from leukoscope import __version__
from leukoscope.errors import DataError, LeukoscopeError, UsageError
from leukoscope.files import make_folder, read_json, reason, write_json

app = typer.Typer(
    name="leukoscope",
    help=(
        "Compares deep networks on leukemia blood-smear images, and says how far the numbers can "
        "be believed. It assists; it does not diagnose."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

reviews_app = typer.Typer(no_args_is_help=True, help="What people said of suggestions.")
keys_app = typer.Typer(no_args_is_help=True, help="Who may use the service from elsewhere.")
app.add_typer(reviews_app, name="reviews")
app.add_typer(keys_app, name="keys")

Classes = Literal["binary", "subtype"]
ClassesOption = Annotated[
    Classes, typer.Option(help="The negative class against the rest, or every label a class.")
]
Negative = Annotated[str, typer.Option(help="The label of the negative class, for binary.")]
Root = Annotated[
    Path | None,
    typer.Option(help="The folder that the paths of a samples.csv are relative to.", metavar="DIR"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
Skip = Annotated[
    bool, typer.Option("--skip-unreadable", help="List unreadable pictures and go on without them.")
]
Weights = Annotated[
    str, typer.Option(help="none, imagenet (fetched by torchvision), or a .safetensors file.")
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Instead of the number in each network's recipe.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other training setting; may be repeated."),
]
Protocol = Annotated[
    str,
    typer.Option(
        help="What is kept on one side: random (nothing), scene (overlapping fields), session "
        "(images that look taken together), group (the group column of a samples.csv)."
    ),
]
ClassifierName = Annotated[
    str,
    typer.Argument(
        help="A classifier folder, or hub:owner/name from the Hugging Face Hub.",
        metavar="CLASSIFIER",
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(help="A CSV of path and group (patients), instead of inferred sessions."),
]
FinishedRun = Annotated[
    Path, typer.Argument(help="The folder of a benchmark or of one training.", metavar="RUN")
]
ImagesRoot = Annotated[
    Path | None,
    typer.Option(help="The folder of the images; by default the run's.", metavar="DIR"),
]

Database = Annotated[
    str | None,
    typer.Option(
        help="An SQLite file, or postgresql://user@host/name. Without it: reviews.sqlite in the "
        "user's data folder.",
        envvar="LEUKOSCOPE_DATABASE",
        show_default=False,
    ),
]
Keys = Annotated[
    Path,
    typer.Option(
        help="The file of names and hashed keys.", metavar="FILE", envvar="LEUKOSCOPE_KEYS"
    ),
]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="The version, and nothing else.")
    ] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def benchmark(
    data: Annotated[
        str,
        typer.Option(
            help="synthetic (drawn smears), kaggle, a folder with one sub-folder per class, "
            "or a samples.csv."
        ),
    ] = "synthetic",
    networks: Annotated[
        str | None,
        typer.Option(
            help="Names of torchvision networks, separated by commas. Without it: alexnet, "
            "googlenet, inception_v3, resnet50, resnet101, resnet152, vgg16, vgg19; on drawn "
            "smears three of them."
        ),
    ] = None,
    classes: ClassesOption = "binary",
    negative: Negative = "Benign",
    protocol: Protocol = "random",
    seeds: Annotated[int, typer.Option(min=1, help="Splits and trainings per network.")] = 1,
    folds: Annotated[
        int | None, typer.Option(min=3, help="Test every image once, in so many trainings.")
    ] = None,
    audit: Annotated[bool, typer.Option(help="Audit the images first.")] = True,
    groups: Groups = None,
    epochs: Epochs = None,
    weights: Weights = "none",
    setting: Set = None,
    root: Root = None,
    skip_unreadable: Skip = False,
    quiet: Quiet = False,
    out: Annotated[
        Path, typer.Option(help="The folder of the results; the same command goes on there.")
    ] = Path("leukoscope-run"),
) -> None:
    """Compare networks on a data set: a table, results.csv and report.html."""
    from leukoscope.benchmark import Comparison
    from leukoscope.benchmark import benchmark as run

    report = run(
        Comparison(
            data=data,
            root=root,
            networks=_names(networks),
            classes=classes,
            negative=negative,
            protocols=_names(protocol),
            seeds=seeds,
            folds=folds,
            audit=audit,
            groups=groups,
            weights=weights,
            overrides=_overrides(setting, epochs),
            out=out,
            skip_unreadable=skip_unreadable,
            quiet=quiet,
        )
    )
    from leukoscope.report.terminal import print_results

    print_results(out)
    print(f"\nReport:  {report}\nTable:   {out / 'results.csv'}")
    if data == "synthetic":
        print(
            "\nThese were drawn smears, not patients. On real images:\n"
            "  leukoscope benchmark --data FOLDER-WITH-ONE-SUBFOLDER-PER-CLASS --out results\n"
            "  leukoscope benchmark --data kaggle --out results    (the Taleqani set)"
        )


@app.command()
def find(
    folder: Annotated[Path, typer.Argument(help="One sub-folder per class.", metavar="DIR")],
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("samples.csv"),
) -> None:
    """List the images of a folder as a samples.csv."""
    from leukoscope.data import sources
    from leukoscope.data.samples import counts, listing, write_samples

    source = sources.find(str(folder))
    _warn(source.warnings)
    make_folder(out.parent)
    write_samples(source.samples, out)
    print(f"{out}: {len(source.samples)} images; {listing(counts(source.samples))}")
    if source.root.resolve() != out.parent.resolve():
        print(
            f"Its paths are relative to {source.root}: pass --root {source.root} with it to audit, "
            f"train and benchmark."
        )


@app.command()
def audit(
    data: Annotated[
        str,
        typer.Argument(
            help="A folder with one sub-folder per class, a samples.csv, kaggle or synthetic.",
            metavar="DATA",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of audit.html and findings.json.")] = Path(
        "leukoscope-audit"
    ),
    groups: Groups = None,
    root: Root = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="Find what a leak is worth to this network too, such as resnet18. "
            "Trains it some thirty times on small images: minutes to an hour."
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Exit with 1 when a check of these kinds finds a problem, or was not run; "
            "separated by commas: leak, shortcut, session, label, quality, balance."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Say what in a set of images would make test scores on it untrue."""
    from leukoscope import audits
    from leukoscope.benchmark import command
    from leukoscope.data import sources

    kinds = audits.check_kinds(_names(fail_on))
    source = sources.find(data, root=root, draw_into=out / "smears")
    _warn(source.warnings)
    found = audits.run(
        source, out, groups=groups, network=network, command=command(sys.argv), quiet=quiet
    )
    for one in audits.by_verdict(found.findings):
        print(f"{one['verdict']:<8} {one['check']}: {one['sentence']}")
    protocol = "scene" if groups is None else "group"
    print(
        f"\n{audits.tally(found.findings)}\n"
        f"Report:   {out / 'audit.html'}\nFindings: {out / 'findings.json'}\n"
        f"Next:     leukoscope split {out / 'samples.csv'} --protocol {protocol} --audit {out} "
        f"--out split.csv"
    )
    failed = found.failed(kinds)
    if failed:
        listed = "; ".join(f"{one['check']} ({one['verdict']})" for one in failed)
        raise LeukoscopeError(f"Of the kinds {', '.join(kinds)}, these are not clear: {listed}.")


@app.command()
def split(
    samples: Annotated[Path, typer.Argument(help="A samples.csv.", metavar="SAMPLES")],
    out: Annotated[Path, typer.Option(help="The table to write, with its split column filled.")],
    protocol: Protocol = "random",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    audit: Annotated[
        Path | None,
        typer.Option(help="The folder of an audit of these images, for scene and session."),
    ] = None,
) -> None:
    """Decide who trains, who validates and who is kept for the test."""
    from leukoscope import audits
    from leukoscope.data import splits
    from leukoscope.data.samples import listing, read_samples, write_samples

    splits.check_protocol(protocol)
    rows = read_samples(samples)
    audited = None if audit is None else audits.read(audit, rows)
    if audited is not None:
        unreadable = _unreadable(audited.findings)
        for row in rows:
            if row.path in unreadable:
                print(f"left out: {unreadable[row.path]}", file=sys.stderr)
        rows = [row for row in rows if row.path not in unreadable]
        rows = audits.grouped(rows, audited, protocol)
    elif protocol in ("scene", "session"):
        beside = (samples.parent / rows[0].path).exists()
        raise UsageError(
            f"The protocol {protocol!r} needs an audit: leukoscope audit {samples}"
            f"{'' if beside else ' --root IMAGES'} --out DIR, then --audit DIR."
        )
    assigned = splits.assign(rows, protocol=protocol, seed=seed)
    _warn(list(filter(None, [splits.lopsided(assigned)])))
    crossing = audits.crossing(assigned, audited, protocol)
    make_folder(out.parent)
    write_samples(assigned, out)
    for name, counted in splits.summary(assigned).items():
        print(f"{name:<11}{sum(counted.values()):>6}   {listing(counted)}")
    print(f"Leaks: {crossing.sentence}")
    print(f"May be on two sides under {protocol!r}: {splits.PROTOCOLS[protocol]}.")


@app.command()
def train(
    samples: Annotated[
        Path, typer.Argument(help="A samples.csv with its split column filled.", metavar="SAMPLES")
    ],
    network: Annotated[str, typer.Option(help="The name of a torchvision network.")],
    out: Annotated[Path, typer.Option(help="The folder of the classifier and its history.")],
    classes: ClassesOption = "binary",
    negative: Negative = "Benign",
    epochs: Epochs = None,
    weights: Weights = "none",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    setting: Set = None,
    root: Root = None,
    skip_unreadable: Skip = False,
    quiet: Quiet = False,
) -> None:
    """Train one network; its test images are predicted once, at the end."""
    from leukoscope.benchmark import train_listed

    metrics = train_listed(
        samples,
        network,
        out,
        root=root,
        classes=classes,
        negative=negative,
        weights=weights,
        seed=seed,
        overrides=_overrides(setting, epochs),
        skip_unreadable=skip_unreadable,
        quiet=quiet,
    )
    _print_metrics(metrics)
    print(f"\nClassifier: {out / 'classifier'}")


@app.command()
def predict(
    classifier: ClassifierName,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Pictures, folders of them, archives (zip, tar), patterns, or - for a list of "
            "these from standard input.",
            metavar="PATH",
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="The table to write: .csv, .jsonl or .parquet.")],
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Another classifier, of another fold or seed, whose answers are averaged with "
            "the first; may be repeated.",
            metavar="CLASSIFIER",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=16,
            metavar="PIXELS",
            help="The width of one field, where a picture shows many: it is cut into squares of "
            "so many of its pixels, and their answers are pooled. Without it, a picture is one "
            "field, its largest centred square.",
        ),
    ] = None,
    group_by: Annotated[
        Literal["folder"] | None,
        typer.Option(help="Also write the answer for each folder (a patient, a slide)."),
    ] = None,
    label_by: Annotated[
        Literal["folder"] | None,
        typer.Option(help="Write the folder's name as the label, for leukoscope evaluate."),
    ] = None,
    engine: Annotated[
        Literal["auto", "torch", "onnx"], typer.Option(help="What computes: the fastest here.")
    ] = "auto",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bf16", "int8"],
        typer.Option(help="auto: float32 for up to 64 pictures, else bf16 where it is faster."),
    ] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Images that are computed together.")] = 64,
    quiet: Quiet = False,
) -> None:
    """Probabilities for pictures; an unreadable one costs its row alone.

    A call that was stopped, or killed, goes on with the same command.
    """
    from leukoscope.data import seen
    from leukoscope.learn import hub
    from leukoscope.scoring import Scoring, score

    folder, words = hub.split(classifier, paths or [])
    done = score(
        Scoring(
            classifiers=[folder, *map(hub.find, also or [])],
            words=words,
            out=out,
            engine=engine,
            device=device,
            precision=precision,
            batch=batch,
            tile=tile,
            group_by_folder=group_by == "folder",
            label_by_folder=label_by == "folder",
            quiet=quiet,
        )
    )
    earlier = f" ({done.earlier} by an earlier call)" if done.earlier else ""
    print(f"{out}: {done.predicted} predicted, {done.unreadable} unreadable{earlier}.")
    if told := seen.sentence(done.trained, done.validated):
        print(told)
    if done.groups is not None:
        print(f"{done.groups}: one row for each folder, with 95 % intervals over its pictures.")
    names = ", ".join(map(str, [folder, *(also or [])]))
    print(f"Computed by {names}: {done.backend}. It assists; it does not diagnose.")
    if done.unreadable and not done.predicted:
        raise typer.Exit(1)


@app.command()
def explain(
    classifier: ClassifierName,
    paths: Annotated[
        list[str] | None, typer.Argument(help="Pictures, as in predict.", metavar="IMAGE")
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="A .png with all pictures below each other, a folder for one .png each, or a .csv "
            "of how much of the attention lies on nuclei, scale bar and background."
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(help="The class that is asked about, instead of each picture's likeliest."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Show what the classifier looked at: Grad-CAM, and occlusion as its check."""
    from leukoscope import explanation
    from leukoscope.learn import hub

    folder, words = hub.split(classifier, paths or [])
    count = explanation.explain(
        explanation.Explaining(classifier=folder, words=words, out=out, target=target, quiet=quiet)
    )
    print(f"{out}: {count} pictures. It assists; it does not diagnose.")


@app.command()
def export(
    classifier: ClassifierName,
    out: Annotated[Path, typer.Option(help="A folder, or one .onnx file.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Also an int8 graph, with what it changes.")
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            help="Pictures like those it will be asked about, for int8: files, folders or "
            "archives. Without it, drawn smears, which real ones are not like.",
            metavar="PATH",
        ),
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option(
            help="A folder with one sub-folder per class, or a samples.csv, to measure the "
            "accuracy of int8 on.",
            metavar="DATA",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the classifier as ONNX; refused unless it answers like PyTorch."""
    from leukoscope import exporting
    from leukoscope.learn import hub

    record = exporting.export(
        exporting.Export(
            classifier=hub.find(classifier),
            out=out,
            int8=int8,
            calibrate=calibrate or [],
            labelled=labelled,
            quiet=quiet,
        )
    )
    print(
        f"{out}: opset {record['opset']}; probabilities within "
        f"{record['largest_difference_to_pytorch']:.1g} of PyTorch."
    )
    if int8:
        print(exporting.sentence(record["int8"]))


@app.command()
def slim(
    classifier: ClassifierName,
    out: Annotated[Path, typer.Option(help="The folder of the smaller classifier.")],
) -> None:
    """Copy a classifier with weights in half precision; refused where that changes an answer."""
    from leukoscope import slimming
    from leukoscope.learn import hub

    done = slimming.slim(hub.find(classifier), out)
    print(
        f"{out}: weights of {done.weights:.1f} MB instead of {done.weights_before:.1f} MB, and a "
        f"graph of {done.graph:.1f} MB; no probability of {done.images} trial images changes by "
        f"more than {done.difference:.1g}."
    )


@app.command()
def push(
    classifier: ClassifierName,
    repo: Annotated[str, typer.Argument(help="owner/name on the Hub.", metavar="REPO")],
    private: Annotated[
        bool, typer.Option("--private", help="Make it for its owner alone.")
    ] = False,
) -> None:
    """Send a classifier to the Hugging Face Hub; hub:owner/name loads it anywhere."""
    from leukoscope.learn import hub

    print(hub.push(hub.find(classifier), repo, private=private))


@app.command()
def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="A predictions.csv, ours or another program's.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of metrics.json and the tables.")],
    validation: Annotated[
        Path | None,
        typer.Option(
            help="Predictions of validation images, on which a temperature, a threshold and "
            "prediction sets are chosen."
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Predictions of the same images by another network; may be repeated."),
    ] = None,
    negative: Annotated[
        str | None,
        typer.Option(help="The negative class; by default Benign, or the first of two."),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(help="The share of positives, for predictive values; by default the test's."),
    ] = None,
    sensitivity: Annotated[
        float, typer.Option(help="What the threshold chosen on validation images has to reach.")
    ] = 0.99,
    coverage: Annotated[
        float, typer.Option(help="The share of sets that have to hold the true class.")
    ] = 0.95,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="The samples.csv with the split, to look for leaks; by default the one beside the "
            "predictions."
        ),
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(help="The folder of an audit; by default that of the run.")
    ] = None,
) -> None:
    """All figures of a predictions.csv, and what leaks through the split behind them."""
    from leukoscope import audits, evaluations
    from leukoscope.evidence import Options

    found = evaluations.run(
        predictions,
        out,
        validation=validation,
        others=compare or [],
        options=Options(negative, prevalence, sensitivity, coverage),
    )
    _print_metrics(found.metrics)
    for note in found.notes:
        print(f"note: {note}")
    print(f"\nAll figures: {out / 'metrics.json'}\nTables:      {out / 'tables'}")
    behind = audits.leaks_behind(predictions, samples=samples, audit=audit)
    if behind is None:
        print(
            f"Leaks were not looked for: there is no samples.csv with the split beside "
            f"{predictions}; name it with --samples."
        )
        return
    leaks, protocol = behind
    figures = out / "metrics.json"
    write_json(figures, read_json(figures) | {"leaks": audits.as_json(leaks, protocol)})
    print(f"Split ({protocol}): {leaks.sentence}")
    if leaks.forbidden(protocol):
        raise DataError(
            f"The split leaks what the protocol {protocol!r} forbids: these figures "
            f"are not what they are called."
        )


@app.command()
def calibrate(
    run: FinishedRun,
    root: ImagesRoot = None,
    quiet: Quiet = False,
) -> None:
    """Calibrate the classifiers of a finished run, and write its figures anew; nothing is trained.

    For runs made before classifiers knew prediction sets, novelty and the files they have seen,
    and before it was measured where they look.
    """
    from leukoscope import revisit

    for trial in revisit.calibrate(run, root=root, quiet=quiet):
        print(trial)


@app.command()
def stress(
    run: FinishedRun,
    root: ImagesRoot = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="So many test images per training; without it, all.")
    ] = None,
    novel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FOLDER",
            help="Pictures of other cells, stains or laboratories, to see whether they are called "
            "novel; may be repeated.",
        ),
    ] = None,
    novel_far: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FOLDER",
            help="Pictures that are no smears, such as photographs; noise, blank slides and text "
            "are drawn anyway.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Put the networks of a finished run under stress; nothing is trained.

    Writes robustness.csv, the figures when stain, light, focus or size change, and novelty.csv,
    how well pictures unlike the training images are found.
    """
    from leukoscope import revisit
    from leukoscope.data import novelties

    folders = novelties.folders(novel or [], novel_far or [])
    for table in revisit.stress(run, root=root, limit=images, novel=folders, quiet=quiet):
        print(table)


@app.command()
def report(
    run: Annotated[
        Path, typer.Argument(help="The folder of a benchmark or of an audit.", metavar="RUN")
    ],
    without_images: Annotated[
        bool,
        typer.Option(
            "--without-images", help="Name pictures instead of showing them, for passing it on."
        ),
    ] = False,
    prevalence: Annotated[
        float | None,
        typer.Option(help="How common the disease is, for PPV and NPV; by default as in the test."),
    ] = None,
    vector: Annotated[
        bool, typer.Option("--vector", help="Write the figures as SVG and PDF, too.")
    ] = False,
) -> None:
    """Write the report of a benchmark, with its tables and figures, or of an audit again.

    What follows from the predictions.csv files of a benchmark is calculated anew.
    """
    if (run / "findings.json").exists():
        from leukoscope.report import audit as page

        print(page.write(run, images=not without_images))
        return
    from leukoscope.report import report as html
    from leukoscope.revisit import measure

    measure(run)
    print(html.write(run, images=not without_images, prevalence=prevalence, vector=vector))


@app.command()
def serve(
    classifier: Annotated[
        Path | None,
        typer.Argument(
            help="A classifier folder; without it, the one that comes with the package.",
            metavar="[CLASSIFIER]",
            envvar="LEUKOSCOPE_CLASSIFIER",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Any but this machine's own needs --keys.", envvar="LEUKOSCOPE_HOST")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, envvar="LEUKOSCOPE_PORT")] = 8000,
    database: Database = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="The file of names and hashed keys; see leukoscope keys.",
            metavar="FILE",
            envvar="LEUKOSCOPE_KEYS",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Keep the files of confirmed and corrected images here; without it none is kept.",
            metavar="DIR",
            envvar="LEUKOSCOPE_PICTURES",
        ),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(help="The path at which a proxy shows it.", envvar="LEUKOSCOPE_PREFIX"),
    ] = "",
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Another limit; may be repeated (docs/serving.md)."),
    ] = None,
) -> None:
    """Open the reviewing page, and the HTTP interface behind it, until Ctrl-C."""
    from leukoscope.learn import hub
    from leukoscope.serve import server
    from leukoscope.serve.limits import limits

    server.serve(
        server.Settings(
            classifier=None if classifier is None else hub.find(classifier),
            host=host,
            port=port,
            database=database,
            keys=keys,
            pictures=pictures,
            prefix=prefix.rstrip("/"),
            limits=limits(limit or []),
        )
    )


@reviews_app.command("export")
def export_reviews(
    pictures: Annotated[
        Path,
        typer.Option(
            help="The folder with the reviewed images: the one of serve --pictures, or the one "
            "they came from. Files are found by their content.",
            metavar="DIR",
        ),
    ],
    database: Database = None,
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("samples.csv"),
) -> None:
    """Write confirmed and corrected images as a samples.csv, to train with."""
    from leukoscope.serve.corrections import export
    from leukoscope.serve.reviews import default_database, open_reviews

    with open_reviews(database or default_database()) as reviews:
        done = export(reviews, pictures, out)
    print(f"{out}: {done.written} images. Its paths are relative to {pictures}.")
    if done.missing:
        _warn([f"{done.missing} reviewed images are not in {pictures}."])
    if done.disputed:
        _warn([f"People disagree on {done.disputed} images; their latest label was written."])
    print(
        f"To train with it:\n  leukoscope split {out} --protocol group --out split.csv\n"
        f"  leukoscope train split.csv --root {pictures} --network resnet50 --out corrected"
    )


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="The person or program, as reviews will name them.")],
    keys: Keys,
) -> None:
    """Make a key, and print it this once."""
    from leukoscope.serve.keys import add

    print(add(keys, name))
    print(f"{keys} holds its hash only: keep the line above now.", file=sys.stderr)


@keys_app.command("remove")
def remove_key(
    name: Annotated[str, typer.Argument(help="Whose key is refused from now on.")], keys: Keys
) -> None:
    """Refuse a key from now on, also in a service that runs."""
    from leukoscope.serve.keys import remove

    remove(keys, name)


@keys_app.command("list")
def list_keys(keys: Keys) -> None:
    """The names of the keys, and when they were made."""
    from leukoscope.serve.keys import read

    for key in read(keys):
        print(f"{key.created}  {key.name}")


def main() -> None:
    """The program: exit status 0, 1 for work that failed, 2 for a wrong call, 130 for Ctrl-C."""
    # What damaged pictures mean is said in sentences, see `images.decode`.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        app()
    except LeukoscopeError as error:
        print(f"leukoscope: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"leukoscope: {where}{reason(error)}.", file=sys.stderr)
        sys.exit(1)


def _names(text: str | None) -> tuple[str, ...]:
    names = (name.strip() for name in (text or "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _overrides(pairs: list[str] | None, epochs: int | None) -> dict[str, Any]:
    from leukoscope.settings import parse_overrides

    return parse_overrides(pairs or []) | ({} if epochs is None else {"epochs": epochs})


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def _unreadable(findings: list[dict[str, Any]]) -> dict[str, str]:
    """Why an audit could not read which pictures, by path."""
    details = (one["details"] for one in findings if one["check"] == "readable")
    reasons: dict[str, str] = dict(next(details, {})).get("reasons", {})
    return reasons


def _print_metrics(metrics: Any) -> None:
    interval = metrics.intervals["accuracy"]
    print(f"{metrics.n} images")
    print(f"accuracy   {metrics.accuracy:.4f}  [{interval.low:.4f}, {interval.high:.4f}]")
    for name in ("loss", "precision", "recall", "f1", "balanced_accuracy", "auroc"):
        value = getattr(metrics, name)
        print(f"{name:<18}" + ("–" if value is None else f"{value:.4f}"))
    print(f"confusion {[list(row) for row in metrics.confusion]} ({', '.join(metrics.classes)})")


if __name__ == "__main__":
    main()
