"""What do CLAIM 2024, TRIPOD+AI and STARD-AI ask, and what of it does the run answer by itself?

Items are in this project's words, under the numbers of the published checklists: CLAIM 2024 (Tejani
et al., Radiology: Artificial Intelligence 6, 2024), TRIPOD+AI (Collins et al., BMJ 385, 2024) and
STARD-AI (Sounderajah et al., Nature Medicine 31, 2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from leukoscope.evaluate.resampling import FEWEST
from leukoscope.report import flow, wording
from leukoscope.report.comparison import Comparison, protocol_sentence
from leukoscope.report.evidence import Evidence
from leukoscope.report.run import Run

AUTHORS = "To be stated by the authors."
SOURCES = (
    "CLAIM 2024: Tejani et al., Radiology: Artificial Intelligence 6, 2024, e240300. "
    "TRIPOD+AI: Collins et al., BMJ 385, 2024, e078378. "
    "STARD-AI: Sounderajah et al., Nature Medicine 31, 2025, 3283–3289."
)


@dataclass(frozen=True, slots=True)
class Item:
    """A question under its numbers, and the answer; empty where only the authors have it."""

    claim: str
    tripod: str
    stard: str
    asked: str
    answer: str = ""
    where: str = ""  # the anchor of the section that has more


def items(
    run: Run, comparisons: Sequence[Comparison], found: Sequence[Evidence], *, audited: bool
) -> list[Item]:
    """The checklist with the answers of this run."""
    return [
        *_background(),
        *_data(run, audited),
        *_model(run, comparisons),
        *_evaluation(run, comparisons, found),
        *_results(run, comparisons, found),
        *_rest(run),
    ]


def answered(listed: Sequence[Item]) -> int:
    """How many of them the run answers."""
    return sum(bool(one.answer) for one in listed)


def _background() -> list[Item]:
    return [
        Item("1–2", "1–2", "1–2", "Title and abstract name the method, the data and the figures"),
        Item("3", "3a–c", "3", "Clinical background and role; known inequalities"),
        Item("3", "3b", "3", "Intended use and intended user"),
        Item("4", "4", "4", "Aims and hypotheses"),
        Item("5", "–", "5", "Prospective or retrospective"),
        Item(
            "6",
            "4",
            "4",
            "Kind of study",
            "Training and comparison of classifiers on one collected image set; an internal test.",
        ),
        Item("–", "17", "6", "Ethical approval and consent"),
    ]


def _data(run: Run, audited: bool) -> list[Item]:
    card = run.card
    return [
        Item(
            "7",
            "5a",
            "11",
            "Source of the images",
            f"{card['title']}. {card['citation']}".strip() if card["citation"] else "",
            "data",
        ),
        Item("–", "5b, 6a", "9", "Where and when patients were seen"),
        Item("8", "6b", "7–8, 10", "Eligible population: who, and how they were found"),
        Item("–", "5a", "28", "How far the images are like those of the intended use"),
        Item(
            "9",
            "7",
            "14",
            "Preparation of the images",
            "Pictures are decoded, fitted to the network’s input size and normalised inside the "
            "classifier; augmentation is in the recipes.",
            "settings",
        ),
        Item("10", "–", "–", "Parts of the images that were chosen", "Whole fields of view."),
        Item("11", "–", "–", "How patients’ identity was removed"),
        Item(
            "12",
            "11",
            "20",
            "Missing and unreadable images",
            _unreadable(run),
            "flow",
        ),
        Item("13", "9b", "13–14", "Microscope, stain, magnification, camera"),
        Item(
            "14–17",
            "8a–c",
            "12, 16a–c, 17b",
            "Reference standard: what it is, who read it, how blinded",
        ),
        Item("18", "–", "–", "Agreement between readers"),
        Item("–", "–", "27", "Time between the image and the reference standard"),
        Item(
            "–",
            "7",
            "–",
            "Copies, overlaps and shortcuts in the data",
            "Checked by the audit; see the summary and the flow of images." if audited else "",
            "flow",
        ),
    ]


def _unreadable(run: Run) -> str:
    """What became of pictures that could not be read; empty when the run does not say."""
    left_out = flow.left_out(run)
    if left_out is None:
        return ""
    if run.settings["settings"].get("skip_unreadable"):
        return f"Left out and listed in settings.json: {left_out:,}."
    return "None: an unreadable picture stops a run."


def _model(run: Run, comparisons: Sequence[Comparison]) -> list[Item]:
    networks = list(dict.fromkeys(n.name for one in comparisons for n in one.networks))
    versions = ", ".join(f"{name} {value}" for name, value in run.settings["versions"].items())
    protocols = list(dict.fromkeys(one.protocol for one in comparisons))
    weights, folds = (run.settings["settings"].get(name) for name in ("weights", "folds"))
    return [
        Item(
            "19",
            "12a",
            "15b",
            "How images were dealt to training, validation and test",
            f"At random under the protocol {wording.listing(protocols)}"
            + (", as folds." if folds else ", about 80/10/10."),
            "split",
        ),
        Item(
            "20",
            "12a",
            "15b",
            "What is kept apart by the split",
            " ".join(protocol_sentence(name) for name in protocols),
            "split",
        ),
        Item("21", "10", "22", "Why so many images"),
        Item(
            "22",
            "12c, 22",
            "15a",
            "The networks",
            f"{wording.listing(networks)}, from torchvision, the last layer replaced."
            if networks
            else "",
            "settings",
        ),
        Item("23", "–", "13", "Software and versions", versions, "repeat"),
        Item(
            "24",
            "12c",
            "–",
            "First values of the weights",
            {"none": "Random.", "imagenet": "Trained on ImageNet."}.get(
                str(weights), f"From {weights}." if weights else ""
            ),
            "settings",
        ),
        Item("25", "12c", "15b", "Training: recipe, epochs, rate", "In the recipes.", "settings"),
        Item(
            "26",
            "12c",
            "15b",
            "How the final model was chosen",
            "The lowest validation loss among epochs at full image size; test images had no say.",
            "settings",
        ),
        Item("27", "12c", "–", "Ensembles", "None: each row is one network"
             + (", trained once per fold; a test image is answered by the training of its fold."
                if folds else "."), ""),
        Item("–", "13", "–", "Class imbalance", "Nothing is resampled unless a recipe says so; "
             "figures that weigh classes alike stand beside the accuracy.", "settings"),
    ]  # fmt: skip


def _evaluation(
    run: Run, comparisons: Sequence[Comparison], found: Sequence[Evidence]
) -> list[Item]:
    folds = run.settings["settings"].get("folds")
    tested = any(one.robustness for one in found)
    looked = any(one.attention for one in found)
    return [
        Item("28", "12e", "18", "Figures and their definitions", "In the glossary.", "glossary"),
        Item(
            "29",
            "12d–e",
            "18",
            "Uncertainty and tests",
            f"95 % intervals{_intervals(found)}; paired tests with Holm’s adjustment.",
            "glossary",
        ),
        Item(
            "30",
            "–",
            "21",
            "Robustness",
            "Graded changes of the test images." if tested else "",
            comparisons[0].key if tested else "",
        ),
        Item("31", "–", "–", "Explanations of single answers",
             "Where the networks looked (Grad-CAM) is measured on test images; maps of single ones "
             "are not in this report." if looked else
             "Not in this report; leukoscope explain draws where a network looked.",
             f"{comparisons[0].key}-attention" if looked else ""),
        Item("32", "12a", "15b", "Test on internal data", "Every image, once, in the fold "
             "whose training did not see it." if folds else "The test split.", comparisons[0].key),
        Item("33", "16, 20c", "29", "Test on data from elsewhere"),
        Item("34", "18d", "36", "Registration"),
        Item("–", "14", "23, 35", "Fairness between groups of patients"),
        Item("–", "12f, 24", "–", "Changes of the model after its test",
             "The figures are of the classifiers as last written to this folder. Whether they were "
             "changed after a look at test images is for the authors to say.", ""),
        Item(
            "–",
            "12g, 15",
            "15c",
            "Output and threshold",
            "Class probabilities; the threshold is chosen on validation images"
            + (" of each fold." if folds else ".")
            if any(e.validated is not None and e.validated.point is not None for e in found)
            else "Class probabilities; the most probable class is the answer.",
            comparisons[0].key,
        ),
        Item(
            "–",
            "–",
            "19",
            "Indeterminate answers",
            "Prediction sets of several classes or none are referred to a person."
            if any(one.validated is not None for one in found)
            else "",
            comparisons[0].key if any(one.validated is not None for one in found) else "",
        ),
    ]  # fmt: skip


def _intervals(found: Sequence[Evidence]) -> str:
    """Over what the intervals are, protocol by protocol."""
    over: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for one in found:
        over[one.metrics.groups is not None][one.entrant.results[0].protocol] = None
    if not over[True]:
        return ", images taken as independent"
    groups = (
        f"over groups under the protocol {wording.listing(list(over[True]))}, by class only where "
        f"there are {FEWEST:g} effective groups"
    )
    if not over[False]:
        return f" {groups}"
    return f" {groups}; images taken as independent under {wording.listing(list(over[False]))}"


def _results(run: Run, comparisons: Sequence[Comparison], found: Sequence[Evidence]) -> list[Item]:
    key = comparisons[0].key
    has_groups = any(one.groups is not None for one in found)
    return [
        Item("35", "20a", "24", "Flow of images", "Images are counted, not patients.", "flow"),
        Item("35–36", "20a–b", "24–25", "Numbers of patients in training, validation and test"),
        Item("36", "20b", "25, 26a–b", "Age, sex, disease of the patients in each part"),
        Item("37–38", "21, 23a", "30–31", "Figures with intervals, cross-tabulation",
             "Cross-tabulation: given. " + (
                 "Intervals: beside accuracy, balanced accuracy, macro F1, MCC, AUROC, average "
                 "precision, Brier score, log loss and the figures by class; those of weighted "
                 "precision, recall and F1 are in tables/ only. Means of set sizes, and classes "
                 "with too few effective groups, have none."
                 if found else "Intervals: of the accuracy."
             ), f"{key}-intervals" if found else key),
        Item("–", "23b", "21", "Differences between groups of images",
             "By class and by inferred or stated group." if has_groups else "", key),
        Item("–", "12e, 23a", "–", "Calibration",
             "Reliability diagrams and errors." if found else "", key),
        Item("39", "–", "23", "Failures looked at", "The largest errors are shown or listed; what "
             "they share is for the authors to say." if found else "", key),
        Item("–", "–", "32", "Harm from the test or the reference standard"),
    ]  # fmt: skip


def _rest(run: Run) -> list[Item]:
    return [
        Item("40", "26", "33", "Limits", "What the figures do not say is in the summary; limits of "
             "the study are for the authors.", "summary"),
        Item("41", "25, 27a–c", "15d, 34", "What it means in practice",
             "It assists research and does not diagnose.", ""),
        Item("42", "18c", "37", "Protocol of the study"),
        Item("43", "18e–f", "40a–b", "Where data, model and code are",
             f"Images: {run.card['url']}; software: Leukoscope {run.settings['leukoscope']}; every "
             "test probability is in the run’s folders." if run.card["url"] else "", "repeat"),
        Item("44", "18a–b", "38–39", "Funding and interests"),
        Item("–", "19", "–", "Involvement of patients and the public"),
    ]  # fmt: skip
