"""What of a split is on both of its sides: copies, overlapping fields, groups and sessions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leukoscope.audit.duplicates import Overlap
from leukoscope.data.samples import Sample

_NO_TWIN = {
    "fields": "none of the {n} test images has a twin on the training side",
    "files": "none of the {n} test images equals a file on the training side; overlapping fields "
    "were not looked for (leukoscope audit does)",
    "nothing": "twins of the {n} test images on the training side were not looked for (leukoscope "
    "audit does)",
}


@dataclass(frozen=True, slots=True)
class Leaks:
    """What crosses a split. Training and validation count as one side: both shape the network."""

    pairs: tuple[Overlap, ...]  # equal or overlapping fields, one of which is tested
    groups: tuple[str, ...]
    sessions: tuple[str, ...]
    tested: int  # test images
    known: int  # test images of which the other side has an equal or overlapping field
    searched: str = "fields"  # what twins were looked for among: fields, files, or nothing

    @property
    def share(self) -> float:
        """The share of the test images that the other side has seen in part."""
        return self.known / self.tested if self.tested else 0.0

    def forbidden(self, protocol: str) -> bool:
        """Whether the protocol promises that what crosses does not."""
        if protocol == "scene":
            return bool(self.pairs or self.groups)
        if protocol == "session":
            return bool(self.pairs or self.groups or self.sessions)
        # A split that somebody gives promises what its table says: no group on two sides.
        return protocol in ("group", "given") and bool(self.groups)

    @property
    def sentence(self) -> str:
        """What crosses, for a person."""
        if not self.tested:
            return "No image is in the test split."
        parts = [_NO_TWIN[self.searched].format(n=f"{self.tested:,}")]
        if self.known:
            parts = [
                f"{self.known:,} of the {self.tested:,} test images ({self.share:.1%}) "
                f"{'overlaps or equals' if self.known == 1 else 'overlap or equal'} an image on "
                f"the training side"
            ]
        for count, what in ((len(self.groups), "group"), (len(self.sessions), "session")):
            if count:
                parts.append(f"{count:,} {what}{'s' * (count != 1)} on both sides")
        return "; ".join(parts) + "."


def find(
    samples: Sequence[Sample],
    overlaps: Iterable[Overlap] | None = None,
    sessions: Mapping[str, str] | None = None,
) -> Leaks:
    """What crosses the split of these rows.

    Equal files are known from the rows' own hashes, so without `overlaps` (None: nobody looked)
    they are still found. `sessions` is a session per path.
    """
    hashed = all(sample.sha256 for sample in samples)
    tested = {sample.path for sample in samples if sample.split == "test"}
    learned = {sample.path for sample in samples if sample.split in ("train", "validation")}
    pairs = {
        (one.path_a, one.path_b): one
        for one in (*_equal(samples), *(overlaps or ()))
        if (one.path_a in tested and one.path_b in learned)
        or (one.path_b in tested and one.path_a in learned)
    }
    known = {path for pair in pairs for path in pair} & tested
    in_session = sessions or {}
    return Leaks(
        pairs=tuple(pairs[key] for key in sorted(pairs)),
        groups=_crossing({sample.path: sample.group for sample in samples}, tested, learned),
        sessions=_crossing(in_session, tested, learned),
        tested=len(tested),
        known=len(known),
        searched="fields" if overlaps is not None else "files" if hashed else "nothing",
    )


def pooled(folds: Sequence[Leaks]) -> Leaks:
    """What crosses any of the splits of a cross-validation, each of which tests other images."""
    return Leaks(
        pairs=tuple(pair for one in folds for pair in one.pairs),
        groups=tuple(sorted({name for one in folds for name in one.groups})),
        sessions=tuple(sorted({name for one in folds for name in one.sessions})),
        tested=sum(one.tested for one in folds),
        known=sum(one.known for one in folds),
        searched=folds[0].searched,
    )


def _equal(samples: Sequence[Sample]) -> list[Overlap]:
    """Each test image beside one image of the other side with the same bytes."""
    by_hash: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.sha256:
            by_hash[sample.sha256].append(sample)
    return [
        _copy(min(one.path, other.path), max(one.path, other.path))
        for copies in by_hash.values()
        for one in copies
        if one.split == "test"
        and (other := next((c for c in copies if c.split not in ("test", "")), None)) is not None
    ]


def _copy(path_a: str, path_b: str) -> Overlap:
    return Overlap(path_a, path_b, 1.0, 0, 0, "equal bytes", "", 1.0, 1.0)


def _crossing(
    group_of: Mapping[str, str], tested: Iterable[str], learned: Iterable[str]
) -> tuple[str, ...]:
    both = {group_of.get(path, "") for path in tested} & {
        group_of.get(path, "") for path in learned
    }
    return tuple(sorted(both - {""}))
