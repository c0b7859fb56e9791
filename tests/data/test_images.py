"""Every kind of picture becomes the right pixels, once; what is none is refused in a sentence."""

import io
import json
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leukoscope.data import images
from leukoscope.data.images import UnreadableImage, cache_folder, decode, load
from leukoscope.data.samples import Sample, hashed
from leukoscope.errors import UsageError

SIZE = 32
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def quarters(size: int = SIZE) -> Image.Image:
    """Red and green above blue and white."""
    pixels = np.empty((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half], pixels[:half, half:] = RED, GREEN
    pixels[half:, :half], pixels[half:, half:] = BLUE, WHITE
    return Image.fromarray(pixels)


def noise(size: int = SIZE, *, seed: int = 0) -> Image.Image:
    """Noise, which no format can make small."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8))


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters, row by row."""
    quarter = len(pixels) // 4
    places = [(y, x) for y in (quarter, -quarter) for x in (quarter, -quarter)]
    return [tuple(int(v) for v in pixels[place]) for place in places]


def png_of_header(width: int, height: int) -> bytes:
    """A PNG that says it has this size, with next to no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def ramp() -> np.ndarray:
    """All 16-bit greys, 256×256."""
    return np.arange(65536, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_pictures_keep_every_pixel(kind: str, options: dict[str, Any]) -> None:
    read = decode(encoded(noise(), kind, **options), SIZE)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, np.asarray(noise()))


def test_jpeg_keeps_the_colours() -> None:
    read = decode(encoded(quarters(), "JPEG", quality=95), SIZE)
    np.testing.assert_allclose(corners(read), [RED, GREEN, BLUE, WHITE], atol=4)


def test_cmyk_becomes_its_colours_not_their_inverse() -> None:
    read = decode(encoded(quarters().convert("CMYK"), "JPEG", quality=95), SIZE)
    np.testing.assert_allclose(corners(read), [RED, GREEN, BLUE, WHITE], atol=8)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) % 256
    read = decode(encoded(Image.fromarray(grey.astype(np.uint8)), "PNG"), SIZE)
    for channel in range(3):
        np.testing.assert_array_equal(read[..., channel], grey)


def test_black_and_white_become_0_and_255() -> None:
    pixels = np.indices((SIZE, SIZE)).sum(0) % 2 == 1
    read = decode(encoded(Image.fromarray(pixels), "PNG"), SIZE)
    np.testing.assert_array_equal(read, np.repeat(np.where(pixels, 255, 0)[..., None], 3, 2))


def test_a_palette_becomes_its_colours() -> None:
    palette = quarters().quantize(4)
    assert palette.mode == "P"
    assert corners(decode(encoded(palette, "PNG"), SIZE)) == [RED, GREEN, BLUE, WHITE]


def test_a_transparent_entry_of_a_palette_becomes_white() -> None:
    palette = quarters().quantize(4)
    green = palette.getpixel((SIZE - 1, 0))
    read = decode(encoded(palette, "PNG", transparency=green), SIZE)
    assert corners(read) == [RED, WHITE, BLUE, WHITE]
    shares = bytes(0 if index == green else 255 for index in range(4))
    assert corners(decode(encoded(palette, "PNG", transparency=shares), SIZE)) == corners(read)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_becomes_white(kind: str) -> None:
    picture = quarters()
    alpha = np.full((SIZE, SIZE), 255, np.uint8)
    alpha[: SIZE // 2, : SIZE // 2] = 0
    alpha[: SIZE // 2, SIZE // 2 :] = 51  # a fifth of green
    picture.putalpha(Image.fromarray(alpha))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    read = decode(encoded(picture, kind, **options), SIZE)
    assert corners(read) == [WHITE, (204, 255, 204), BLUE, WHITE]


def test_transparent_grey_becomes_white() -> None:
    pixels = np.zeros((SIZE, SIZE, 2), np.uint8)
    pixels[: SIZE // 2, :, 0], pixels[: SIZE // 2, :, 1] = 90, 255
    read = decode(encoded(Image.fromarray(pixels, "LA"), "PNG"), SIZE)
    assert corners(read) == [(90,) * 3, (90,) * 3, WHITE, WHITE]


def test_one_transparent_colour_becomes_white() -> None:
    read = decode(encoded(quarters(), "PNG", transparency=RED), SIZE)
    assert corners(read) == [WHITE, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_upper_bits(kind: str) -> None:
    read = decode(encoded(Image.fromarray(ramp()), kind), 256)
    np.testing.assert_array_equal(read, np.repeat((ramp() >> 8)[..., None], 3, 2))


def test_16_bit_grey_of_a_big_endian_machine_is_the_same() -> None:
    swapped = Image.frombytes("I;16B", (256, 256), ramp().astype(">u2").tobytes())
    read = decode(encoded(swapped, "TIFF"), 256)
    np.testing.assert_array_equal(read[..., 0], ramp() >> 8)


def test_floating_point_pixels_are_refused() -> None:
    content = encoded(Image.fromarray(np.zeros((SIZE, SIZE), np.float32)), "TIFF")
    with pytest.raises(UnreadableImage, match="floating-point pixels have no defined range"):
        decode(content, SIZE)


@pytest.mark.parametrize(
    ("orientation", "seen"),
    [  # what a viewer shows, from the definition of the tag: where row 0 and column 0 belong
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_rotation_is_applied(kind: str, orientation: int, seen: list[tuple[int]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = decode(encoded(quarters(), kind, exif=exif), SIZE)
    np.testing.assert_allclose(corners(read), seen, atol=8)


@pytest.mark.parametrize("lies", [True, False])
def test_the_largest_centred_square_is_kept(lies: bool) -> None:
    long = np.zeros((SIZE, 2 * SIZE, 3), np.uint8)
    middle = np.asarray(noise())
    long[:, SIZE // 2 : -SIZE // 2] = middle
    if not lies:
        long, middle = long.swapaxes(0, 1), middle.swapaxes(0, 1)
    picture = Image.fromarray(np.ascontiguousarray(long))
    np.testing.assert_array_equal(decode(encoded(picture, "PNG"), SIZE), middle)


@pytest.mark.parametrize("size", [16, 64, 100])
def test_pictures_are_scaled_to_the_size(size: int) -> None:
    read = decode(encoded(quarters(), "PNG"), size)
    assert read.shape == (size, size, 3)
    np.testing.assert_allclose(corners(read), [RED, GREEN, BLUE, WHITE], atol=2)


def test_a_path_and_its_bytes_are_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(40), "PNG"))
    np.testing.assert_array_equal(decode(path, SIZE), decode(path.read_bytes(), SIZE))


def test_the_content_and_not_the_name_says_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(quarters(), "PNG"))
    assert corners(decode(path, SIZE)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"Dear colleague,\nplease find the images in the other folder.\n", "is not a picture"),
        (b"", "is not a picture"),
        (encoded(quarters(), "GIF"), r"is not a picture \(JPEG, PNG, BMP, TIFF, WEBP\)"),
        (encoded(noise(), "JPEG")[:-400], "cannot be decoded: .*truncated"),
        (encoded(quarters(), "JPEG")[:30], "is not a picture|cannot be decoded"),
        (encoded(quarters(), "PNG")[:-30], "cannot be decoded"),
        (encoded(quarters(), "BMP")[:-30], "cannot be decoded"),
        (encoded(quarters(), "TIFF")[:-300], "is not a picture|cannot be decoded"),
        (encoded(quarters(), "WEBP")[:-30], "is not a picture|cannot be decoded"),
    ],
    ids=["text", "empty", "gif", "jpeg", "jpeg header", "png", "bmp", "tiff", "webp"],
)
@pytest.mark.filterwarnings("ignore:Truncated File Read:UserWarning")
def test_what_is_no_whole_picture_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "named.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=sentence) as caught:
        decode(path, SIZE)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith((".", ")."))
    assert "\n" not in str(caught.value)


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"gone\.png cannot be decoded: No such file"):
        decode(tmp_path / "gone.png", SIZE)


@pytest.mark.parametrize(
    ("width", "height"), [(30_000, 30_000), (10_001, 10_000), (200_000, 2_000), (1, 100_000_001)]
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_than_100_megapixels_are_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("a pixel was asked for")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(UnreadableImage, match=r"too large|more than 100 megapixels"):
        decode(png_of_header(width, height), SIZE)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_100_megapixels_are_not_too_many() -> None:
    with pytest.raises(UnreadableImage, match="cannot be decoded"):  # it has no pixels, that is all
        decode(png_of_header(10_000, 10_000), SIZE)


EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E], EXIF[0x011A] = 6, "a smear", 72.0
WHOLE = {
    "jpeg": encoded(quarters(24), "JPEG", exif=EXIF),
    "png": encoded(quarters(24), "PNG", exif=EXIF),
    "palette": encoded(quarters(24).quantize(4), "PNG", transparency=1),
    "bmp": encoded(quarters(24), "BMP"),
    "tiff": encoded(quarters(24), "TIFF"),
    "webp": encoded(quarters(24), "WEBP", exif=EXIF),
}


def outcome(content: bytes) -> np.ndarray | str:
    """The pixels, or why there are none."""
    try:
        return decode(content, SIZE)
    except UnreadableImage as error:
        return str(error)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.filterwarnings("ignore")  # Pillow's, about every broken tag
@given(data=st.data())
@settings(max_examples=100)
def test_a_damaged_picture_is_read_or_refused_in_a_sentence(kind: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[kind])
    places = st.integers(0, min(150, len(content)) - 1) | st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        content[place] = value
    length = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    found = outcome(bytes(content[:length]))
    if isinstance(found, str):
        assert found.startswith("The file ")
    else:
        assert found.shape == (SIZE, SIZE, 3)


def test_errors_of_the_parser_are_errors_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged tags lead Pillow into exceptions that it does not document."""
    content = encoded(quarters(), "PNG")
    for error in (struct.error("short"), TypeError("abs of str"), KeyError(3), IndexError("off")):

        def broken(_: Image.Image, error: Exception = error) -> Image.Image:
            raise error

        monkeypatch.setattr("PIL.ImageOps.exif_transpose", broken)
        with pytest.raises(UnreadableImage, match="cannot be decoded"):
            decode(content, SIZE)


# The pixel cache


def write_pictures(folder: Path, count: int = 6) -> list[Sample]:
    """Pictures of noise, and their rows."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(encoded(noise(40, seed=number), "PNG"))
    return hashed([Sample(f"{number}.png", "Pro") for number in range(count)], folder)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded from here on."""
    names: list[str] = []

    def counting(source: Path, size: int) -> np.ndarray:
        names.append(source.name)
        return decode(source, size)

    monkeypatch.setattr(images, "decode", counting)
    return names


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pixels_are_those_of_each_row_in_order(tmp_path: Path, decoded: list[str]) -> None:
    rows = write_pictures(tmp_path)[::-1]
    pixels, unreadable = load(rows, tmp_path, size=SIZE, quiet=True)
    assert unreadable == {}
    assert sorted(decoded) == sorted(row.path for row in rows)
    assert pixels.shape == (6, SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    for row, found in zip(rows, pixels, strict=True):
        np.testing.assert_array_equal(found, decode(tmp_path / row.path, SIZE))


def test_the_second_time_nothing_is_decoded(
    tmp_path: Path, pixel_cache: Path, decoded: list[str]
) -> None:
    rows = write_pictures(tmp_path)
    first, _ = load(rows, tmp_path, size=SIZE, quiet=True)
    before = listing(pixel_cache)
    decoded.clear()
    second, unreadable = load(rows, tmp_path, size=SIZE, quiet=True)
    assert decoded == []
    assert unreadable == {}
    np.testing.assert_array_equal(first, second)
    assert listing(pixel_cache) == before


def test_nobody_can_change_the_cache_through_the_array(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path)
    first, _ = load(rows, tmp_path, size=SIZE, quiet=True)
    expected = first.copy()
    first[:] = 0
    second, _ = load(rows, tmp_path, size=SIZE, quiet=True)
    np.testing.assert_array_equal(second, expected)


def test_the_same_pictures_elsewhere_are_not_decoded_again(
    tmp_path: Path, decoded: list[str]
) -> None:
    rows = write_pictures(tmp_path / "here")
    load(rows, tmp_path / "here", size=SIZE, quiet=True)
    decoded.clear()
    (tmp_path / "here").rename(tmp_path / "there")
    load(rows, tmp_path / "there", size=SIZE, quiet=True)
    assert decoded == []


def test_a_changed_picture_is_decoded_again(tmp_path: Path, decoded: list[str]) -> None:
    rows = write_pictures(tmp_path)
    load(rows, tmp_path, size=SIZE, quiet=True)
    (tmp_path / "3.png").write_bytes(encoded(quarters(40), "PNG"))
    decoded.clear()
    unhashed = [Sample(row.path, row.label) for row in rows]
    pixels, _ = load(hashed(unhashed, tmp_path), tmp_path, size=SIZE, quiet=True)
    assert "3.png" in decoded
    assert corners(pixels[3]) == [RED, GREEN, BLUE, WHITE]


def test_each_size_and_each_order_has_pixels_of_its_own(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path)
    small, _ = load(rows, tmp_path, size=SIZE, quiet=True)
    large, _ = load(rows, tmp_path, size=2 * SIZE, quiet=True)
    back, _ = load(rows[::-1], tmp_path, size=SIZE, quiet=True)
    some, _ = load(rows[1:3], tmp_path, size=SIZE, quiet=True)
    assert large.shape == (6, 2 * SIZE, 2 * SIZE, 3)
    np.testing.assert_array_equal(back, small[::-1])
    np.testing.assert_array_equal(some, small[1:3])


def test_one_unreadable_picture_stops_and_leaves_nothing(tmp_path: Path, pixel_cache: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "2.png").write_text("no picture")
    (tmp_path / "4.png").write_text("no picture either")
    rows = hashed([Sample(f"{number}.png", "Pro") for number in range(6)], tmp_path)
    with pytest.raises(UnreadableImage, match=r"2\.png is not a picture"):
        load(rows, tmp_path, size=SIZE, quiet=True)
    assert listing(pixel_cache) == []


def test_unreadable_pictures_are_left_out_and_listed_every_time(
    tmp_path: Path, pixel_cache: Path, decoded: list[str]
) -> None:
    write_pictures(tmp_path)
    (tmp_path / "2.png").write_text("no picture")
    (tmp_path / "4.png").write_bytes(encoded(noise(), "JPEG")[:-400])
    rows = hashed([Sample(f"{number}.png", "Pro") for number in range(6)], tmp_path)
    for repetition in range(2):
        pixels, unreadable = load(rows, tmp_path, size=SIZE, skip_unreadable=True, quiet=True)
        assert len(decoded) == 6 * (repetition == 0)
        assert list(unreadable) == ["2.png", "4.png"]
        assert unreadable["2.png"].startswith(f"{tmp_path / '2.png'} is not a picture")
        assert unreadable["4.png"].startswith(f"{tmp_path / '4.png'} cannot be decoded")
        assert pixels.shape == (4, SIZE, SIZE, 3)
        for found, name in zip(pixels, ("0.png", "1.png", "3.png", "5.png"), strict=True):
            np.testing.assert_array_equal(found, decode(tmp_path / name, SIZE))
        decoded.clear()
    assert [Path(name).suffix for name in listing(pixel_cache)] == [".json", ".npy"]


def test_skipping_once_does_not_skip_for_ever(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "2.png").write_text("no picture")
    rows = hashed([Sample(f"{number}.png", "Pro") for number in range(6)], tmp_path)
    load(rows, tmp_path, size=SIZE, skip_unreadable=True, quiet=True)
    with pytest.raises(UnreadableImage, match=r"2\.png is not a picture"):
        load(rows, tmp_path, size=SIZE, quiet=True)


def test_an_unreadable_picture_is_listed_by_the_name_it_has_now(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    (tmp_path / "1.png").write_text("no picture")
    rows = hashed([Sample("0.png", "Pro"), Sample("1.png", "Pro")], tmp_path)
    load(rows, tmp_path, size=SIZE, skip_unreadable=True, quiet=True)
    shutil.move(tmp_path / "1.png", tmp_path / "renamed.png")
    rows = hashed([Sample("0.png", "Pro"), Sample("renamed.png", "Pro")], tmp_path)
    pixels, unreadable = load(rows, tmp_path, size=SIZE, skip_unreadable=True, quiet=True)
    assert len(pixels) == 1
    assert list(unreadable) == ["renamed.png"]
    assert unreadable["renamed.png"].startswith(f"{tmp_path / 'renamed.png'} is not a picture")


def test_when_none_is_readable_all_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "b.png").write_text("no picture")
    rows = hashed([Sample("a.png", "Pro"), Sample("b.png", "Pro")], tmp_path)
    for _ in range(2):
        pixels, unreadable = load(rows, tmp_path, size=SIZE, skip_unreadable=True, quiet=True)
        assert pixels.shape == (0, SIZE, SIZE, 3)
        assert list(unreadable) == ["a.png", "b.png"]


@pytest.mark.parametrize("at", ["3.png", "listing"])
def test_an_interrupted_decoding_leaves_nothing_and_the_next_one_is_whole(
    tmp_path: Path, pixel_cache: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    rows = write_pictures(tmp_path)

    def interrupted(source: Path, size: int) -> np.ndarray:
        if source.name == at:
            raise KeyboardInterrupt
        return decode(source, size)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(images, "decode", interrupted)
        if at == "listing":
            patch.setattr(images, "write_text", full)
        with pytest.raises((KeyboardInterrupt, OSError)):
            load(rows, tmp_path, size=SIZE, quiet=True)
    assert listing(pixel_cache) == []
    pixels, _ = load(rows, tmp_path, size=SIZE, quiet=True)
    np.testing.assert_array_equal(pixels[5], decode(tmp_path / "5.png", SIZE))


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder().name == "leukoscope"
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    rows = write_pictures(tmp_path / "pictures")
    load(rows, tmp_path / "pictures", size=SIZE, quiet=True)
    (array,) = (tmp_path / "mine").glob("*.npy")
    assert json.loads(array.with_suffix(".json").read_text()) == {}
    assert listing(tmp_path) == ["mine", "pictures"]


def test_without_it_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LEUKOSCOPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "leukoscope"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "leukoscope"


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_pictures(tmp_path / "pictures")
    (tmp_path / "file").touch()
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="file is a file; name a folder"):
        load(rows, tmp_path / "pictures", size=SIZE, quiet=True)
