"""Where in a picture are the nuclei of white cells, and where is a burned-in scale bar?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

PURPLE = 20  # grey levels by which red and blue outshine green in chromatin
_EDGE = 90  # grey levels from one pixel to the next: the lens blurs cells below it, a mark is sharp
_SPECK = 0.0008  # of the field: smaller than a nucleus, larger than most platelets
_LETTERS = 2e-4  # of the field: fewer sharp pixels in a corner are dirt


def purple(image: NDArray[Any]) -> Pixels:
    """How much red and blue outshine green at each place of an H×W×3 picture, H×W grey levels.

    Chromatin is purple: it takes green away, and leaves red and blue. Red cells leave no two.
    """
    import cv2

    red, green, blue = cv2.split(image)
    return np.asarray(cv2.subtract(cv2.addWeighted(red, 0.5, blue, 0.5, 0), green), np.uint8)


def nuclei(image: Pixels) -> Mask:
    """Where white-cell nuclei are, H×W, of an H×W×3 picture.

    The purple of the smoothed picture above Otsu's threshold (1979, 10.1109/TSMC.1979.4310076),
    but at least as purple as any chromatin; without holes, and without specks. Crushed cells
    count; a scale bar does not.
    """
    import cv2

    smooth = cv2.GaussianBlur(image, (0, 0), 1.5 * max(1.0, len(image) / 224))
    shades = purple(smooth)
    between, _ = cv2.threshold(shades, 0, 255, cv2.THRESH_OTSU)
    mask = (shades > max(PURPLE, between)) & ~scale_bar(image)
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    large = [one for one in outlines if cv2.contourArea(one) > _SPECK * mask.size]
    found = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(found, large, -1, 1, cv2.FILLED)
    filled: Mask = found > 0
    return filled


def scale_bar(image: Pixels) -> Mask:
    """Where a scale bar is burned in, H×W: a box around the ink in one corner, or nothing."""
    import cv2

    mask = np.zeros(image.shape[:2], bool)
    marked = [(_marked(image[corner]), corner) for corner in corners(*image.shape[:2])]
    sharp, corner = max(marked, key=lambda one: one[0].sum())
    rim = max(2, len(image) // 56)
    joined = cv2.dilate(sharp.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
    _, places, boxes, _ = cv2.connectedComponentsWithStats(joined)
    counts = np.bincount(places[sharp], minlength=len(boxes))
    counts[0] = 0
    if counts.max() < _LETTERS * mask.size:
        return mask
    left, top, width, height = boxes[counts.argmax()][:4]
    mask[corner][top : top + height, left : left + width] = True
    return mask


def corners(height: int, width: int) -> list[tuple[slice, slice]]:
    """The four corners of an H×W picture where camera software burns in its marks."""
    high, wide = height // 8, width // 4
    return [
        (rows, columns)
        for rows in (slice(0, high), slice(height - high, None))
        for columns in (slice(0, wide), slice(width - wide, None))
    ]


def ink(box: Pixels) -> Mask:
    """The darker side of every sharp edge in green of an H×W×3 cutting, H×W."""
    green = box[..., 1].astype(np.int16)
    dark = np.zeros(green.shape, bool)
    for axis in (0, 1):
        step = np.diff(green, axis=axis)
        chosen = [slice(None), slice(None)]
        for side, falls in ((slice(1, None), step < -_EDGE), (slice(0, -1), step > _EDGE)):
            chosen[axis] = side
            dark[tuple(chosen)] |= falls
    return dark


def _marked(box: Pixels) -> Mask:
    """Ink that is black or of one colour: where red and blue both outshine green is chromatin, and
    no stain on a slide is red alone."""
    red, green, blue = box.astype(np.int16).transpose(2, 0, 1)
    stained = (np.minimum(red, blue) - green > 8) & (red - blue < 20)
    marked: Mask = (ink(box) & ~stained) | (red - np.maximum(green, blue) > _EDGE // 2)
    return marked
