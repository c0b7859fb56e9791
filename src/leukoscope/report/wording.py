"""Numbers and names as a reader wants them."""

import json
import math
from datetime import datetime
from typing import Any

from leukoscope.evaluate.intervals import Interval, Measured

_SPACE = "\N{NO-BREAK SPACE}"
_MOST_DIGITS = 8
_NAMES = {
    "alexnet": "AlexNet",
    "googlenet": "GoogLeNet",
    "inception_v3": "Inception v3",
    "colour-forest": "Colour forest",
    "majority": "Majority class",
}


def network(name: str) -> str:
    """The name as it is written in papers: `vgg16` is VGG-16; unknown ones stay as they are."""
    for prefix, written in (("resnet", "ResNet"), ("vgg", "VGG"), ("densenet", "DenseNet")):
        depth = name.removeprefix(prefix)
        if depth != name and depth.isdecimal():
            return f"{written}-{depth}"
    return _NAMES.get(name, name)


ROUNDING = (
    "A figure and the ends of its interval have the same number of digits, each rounded to the "
    "nearest; what is not quite 0 or 1 gets more digits rather than being written so."
)


def share(value: float | None, digits: int = 4) -> str:
    """A number between 0 and 1 with four digits; what is not quite 0 or 1 is never written so."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = _enough(value, digits, 1)
    return f"{value:.0e}" if digits > _MOST_DIGITS else f"{value:.{digits}f}"


def ends(interval: Interval, digits: int = 4) -> tuple[str, str]:
    """The bounds of a share, with as many digits as the share and rounded as it is."""
    return share(interval.low, digits), share(interval.high, digits)


def bounded(measured: Measured) -> str:
    """A share with its interval in brackets."""
    if measured.interval is None:
        return share(measured.value) + (" (no interval)" if measured.value == 1 else "")
    low, high = ends(measured.interval)
    return f"{share(measured.value)} [{low}, {high}]"


def hundredths(value: float) -> str:
    """A share in per cent, without the sign: 97.9; what is not quite 0 or 100 is never written
    so."""
    if value in (0, 1):
        return f"{100 * value:.0f}"
    digits = _enough(100 * value, 1, 100)
    return f"{100 * value:.0e}" if digits > _MOST_DIGITS else f"{100 * value:.{digits}f}"


def _enough(value: float, digits: int, top: float) -> int:
    """The digits with which a value that is not 0 or `top` is not written so."""
    while digits <= _MOST_DIGITS and value not in (0, top) and round(value, digits) in (0, top):
        digits += 1
    return digits


def percent(value: float) -> str:
    """A share in per cent with its sign."""
    return f"{hundredths(value)}{_SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points."""
    size = abs(100 * difference)
    unit = "percentage point" if f"{size:.1f}" == "1.0" else "percentage points"
    return (
        f"{size:.1f}{_SPACE}{unit}" if size >= 0.05 else f"less than 0.1{_SPACE}percentage points"
    )


def p_value(value: float) -> str:
    """A probability under chance, never written as 0."""
    return f"<{_SPACE}0.001" if value < 0.001 else f"{value:.3f}"


def p(value: float) -> str:
    """p = 0.012, p < 0.001."""
    written = p_value(value)
    return f"p{_SPACE}{written}" if written.startswith("<") else f"p{_SPACE}={_SPACE}{written}"


def loss(value: float) -> str:
    """A loss with four digits."""
    if not math.isfinite(value):
        return "not finite"
    return "<" + _SPACE + "0.0001" if 0 < value < 0.00005 else f"{value:.4f}"


def duration(seconds: float | None) -> str:
    """12 s, 3 min 20 s, 1 h 05 min."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f}{_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{_SPACE}min {whole % 60:02d}{_SPACE}s"
    return f"{whole // 3600}{_SPACE}h {whole % 3600 // 60:02d}{_SPACE}min"


def moment(iso: object) -> str:
    """12 March 2026, 14:03 UTC; a text that is no ISO time stays as it is."""
    try:
        time = datetime.fromisoformat(str(iso))
    except ValueError:
        return str(iso) if iso else "not recorded"
    zone = f" {time.tzname()}" if time.tzinfo is not None else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"


def setting(value: object) -> str:
    """A value of a settings file as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(one) for one in value) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def listing(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def count(number: int, noun: str) -> str:
    """1 image, 3,256 images."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def leak(found: dict[str, Any]) -> str:
    """How many test images have a twin on the training side, as `settings.json` counts them."""
    known, tested = found["known"], found["tested"]
    what = "equal or overlapping image" if found["audited"] else "equal file"
    share_ = f" ({known / tested:.1%})" if known else ""
    return (
        f"Seed {found['seed']}: {known:,} of {tested:,} test images{share_} have an {what} on the "
        f"training side."
    )
