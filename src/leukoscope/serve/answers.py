"""What is said of an image, in numbers and in words, and how is it written over the wire?"""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from leukoscope.serve.model import Model

if TYPE_CHECKING:
    from leukoscope.learn.answers import Answers

_SURENESS = ((0.99, "very sure"), (0.9, "sure"), (0.7, "fairly sure"), (0.0, "unsure"))


class Record(BaseModel):
    """What every record over the wire shares: it is not changed once it is made."""

    model_config = ConfigDict(frozen=True)


class Answer(Record):
    """What the classifier says of one image."""

    suggestion: str = Field(description="The most probable class.")
    certainty: float = Field(description="Its probability.")
    words: str = Field(description="The certainty in words.")
    probabilities: dict[str, float] = Field(description="Of every class; they add up to 1.")
    possible: list[str] | None = Field(
        description="The prediction set: the classes that cannot be ruled out. Null for a "
        "classifier that has not learned to say it."
    )
    novelty: float | None = Field(
        description="How unlike the training images it is; higher is more. Null as above."
    )
    novel: bool | None = Field(
        description="Whether it is unlike anything the classifier was trained on: then do not "
        "rely on the suggestion. Null as above."
    )
    seen: str | None = Field(
        description="`train` or `validation` for a file that took part in the training of the "
        "classifier: the answer is no evidence of what it can do. Empty for any other file; null "
        "for a classifier that does not say what it learned from."
    )


class ImageAnswer(Record):
    """One row of an answer: an image, and what is said of it or why nothing is."""

    name: str = Field(description="The file's name, without folders.")
    sha256: str = Field(description="Of the file's bytes; names the image in every other call.")
    answer: Answer | None = Field(description="Null for a file that cannot be answered.")
    error: str | None = Field(description="Why it cannot be, in a sentence; null if it can.")


class ClassifierFacts(Record):
    """The classifier that answered."""

    name: str
    classes: list[str]
    size: int = Field(description="Images are decoded to so many pixels in height and width.")
    fingerprint: str = Field(description="SHA-256 of its settings and of the weights that answer.")
    calibrated: bool = Field(description="Whether its probabilities were calibrated.")


class Predicted(Record):
    """The answer to one request: a row for each image, in the order they were sent."""

    classifier: ClassifierFacts
    images: list[ImageAnswer]


class Refusal(Record):
    """Why a request was not carried out."""

    detail: str


def facts(model: Model) -> ClassifierFacts:
    """What identifies the classifier."""
    return ClassifierFacts(
        name=model.name,
        classes=list(model.classes),
        size=model.size,
        fingerprint=model.fingerprint,
        calibrated=model.calibrated,
    )


def written(answers: "Answers", classes: tuple[str, ...], seen: str | None) -> Answer:
    """The first row of the answers as it goes over the wire; `seen` is about its file."""
    probabilities = answers.probabilities[0]
    best = int(probabilities.argmax())
    possible = None
    if answers.sets is not None:
        possible = [name for name, inside in zip(classes, answers.sets[0], strict=True) if inside]
    novel = None if answers.novel is None else bool(answers.novel[0])
    return Answer(
        suggestion=classes[best],
        certainty=float(probabilities[best]),
        words=in_words(float(probabilities[best]), possible, novel, seen),
        probabilities=dict(zip(classes, map(float, probabilities), strict=True)),
        possible=possible,
        novelty=None if answers.novelty is None else float(answers.novelty[0]),
        novel=novel,
        seen=seen,
    )


def in_words(
    certainty: float, possible: list[str] | None, novel: bool | None, seen: str | None
) -> str:
    """The certainty of a suggestion in words; what speaks against relying on it comes first."""
    if seen:
        return "seen in training" if seen == "train" else "seen in validation"
    if novel:
        return "not to be relied on"
    if possible is not None and len(possible) != 1:
        return "undecided" if possible else "fits no class"
    return next(words for least, words in _SURENESS if certainty >= least)
