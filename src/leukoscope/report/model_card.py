"""The card that travels with a classifier, as the Hugging Face Hub shows it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leukoscope import __version__
from leukoscope.data.seen import SEEN
from leukoscope.errors import UsageError
from leukoscope.files import read_json, write_text
from leukoscope.report import wording
from leukoscope.report.comparison import protocol_sentence
from leukoscope.report.run import CARD, IDENTITY, SETTINGS, Result, read_results

_CONFIG: dict[str, Any] = {"temperature": 1.0, "coverage": None, "accepted": None}
_OF_TWO = (
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
    ("ppv", "Positive predictive value"),
    ("npv", "Negative predictive value"),
)
_FIGURES = (
    ("accuracy", "Accuracy"),
    ("balanced_accuracy", "Balanced accuracy"),
    ("precision", "Precision, weighted"),
    ("recall", "Recall, weighted"),
    ("f1", "F1, weighted"),
    ("f1_macro", "F1, macro"),
    ("auroc", "Area under the ROC curve"),
    ("average_precision", "Average precision"),
    ("mcc", "Matthews correlation"),
    ("loss", "Log loss"),
    ("brier", "Brier score"),
    ("ece", "Expected calibration error"),
    ("aurc", "Area under the risk–coverage curve"),
)


def write(folder: Path, *, run: Path | None = None) -> Path:
    """`README.md` in a `<network>-<protocol>-seed<k>/classifier/` folder.

    Its figures come from the `metrics.json` and `settings.json` beside the classifier; the data
    set, the versions and the baselines from the run folder, by default the one that holds both.
    What the run does not say is stated as not recorded. Raises `LeukoscopeError` when the figures
    are missing.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder with a classifier.")
    training = folder.parent
    run = training.parent if run is None else run
    recipe = read_json(training / "settings.json")
    metrics = {"groups": None, "binary": None} | read_json(training / "metrics.json")
    config = _CONFIG | _read(folder / "config.json")
    card = CARD | _read(run / "card.json")
    environment = Environment(
        loader=PackageLoader("leukoscope.report"),
        undefined=StrictUndefined,
        finalize=_literal,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    page = environment.get_template("model_card.md").render(
        name=wording.network(str(recipe.get("network", "classifier"))),
        recipe={key: value for key, value in recipe.items() if key not in IDENTITY},
        reasons=recipe.get("reasons") or {},
        identity=dict.fromkeys(IDENTITY, "not recorded") | recipe,
        metrics=metrics,
        figures=_figures(metrics, _FIGURES),
        pair=metrics["binary"],
        of_two=_figures(metrics["binary"] or {}, _OF_TWO),
        config=config,
        licence=_licence(card),
        knows_its_files=(folder / SEEN).exists(),
        baselines=_baselines(run, recipe),
        card=card,
        counts=", ".join(f"{label} {count}" for label, count in card["counts"].items()),
        settings=SETTINGS | _read(run / "settings.json"),
        protocol=protocol_sentence(str(recipe.get("protocol", ""))),
        w=wording,
        version=__version__,
    )
    write_text(folder / "README.md", re.sub(r"\n{3,}", "\n\n", page))
    return folder / "README.md"


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _licence(card: dict[str, Any]) -> dict[str, str]:
    """The licence keys of the front matter: weights stand under the terms of their images."""
    if card["synthetic"]:
        return {"license": "apache-2.0"}
    named = {"license": "other", "license_name": "terms-of-the-training-images"}
    url = str(card["url"])
    return named | ({"license_link": url} if url.startswith(("https://", "http://")) else {})


def _figures(
    metrics: dict[str, Any], wanted: Sequence[tuple[str, str]]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Key, name and figure (value, and interval where there is one) of what was measured."""
    found = []
    for key, name in wanted:
        figure = metrics.get(key)
        if isinstance(figure, dict) and figure.get("value") is not None:
            found.append((key, name, figure))
    return found


def _baselines(run: Path, recipe: dict[str, Any]) -> list[Result]:
    """The baselines measured on the same split."""
    if not (run / "results.csv").exists():
        return []
    same = ("protocol", "classes", "seed")
    return [
        result
        for result in read_results(run)
        if result.is_baseline and all(getattr(result, key) == recipe.get(key) for key in same)
    ]


def _literal(value: object) -> object:
    """Text from outside as it stands: no Markdown, no HTML, no line break is read into it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"([\\`*\[\]<>|#~])", r"\\\1", " ".join(value.split()))


def _quoted(value: object) -> Markup:
    """A value of the front matter; every JSON value is a YAML value too."""
    return Markup(json.dumps(value, ensure_ascii=True))
