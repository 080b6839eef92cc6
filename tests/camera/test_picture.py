"""Test that pictures of every kind become RGB, and damaged ones an error."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.camera import media
from tests.camera.media import RED, encoded, noise, plain, png, png_chunk, save_picture
from tests.camera.reading import only_image, outline, read_all


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    """A red picture is red in every format, up to what JPEG and WebP lose."""
    image = only_image(save_picture(tmp_path / f"red{suffix}", plain()))

    assert (image.shape, image.dtype, image.flags["C_CONTIGUOUS"]) == ((48, 64, 3), np.uint8, True)
    np.testing.assert_allclose(image.astype(int), plain(), atol=3)


BLENDED = [(128, 128, 255), (255, 255, 255)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(".png", np.array([[7, 200]], np.uint8)), [(7, 7, 7), (200, 200, 200)]),
        (png((2, 1, 8, 4), bytes([0, 100, 255, 50, 0])), [(100, 100, 100), (255, 255, 255)]),
        (png((2, 1, 8, 6), bytes([0, 0, 0, 255, 127, 9, 9, 9, 0])), BLENDED),
        (png((2, 1, 8, 6), bytes([0, 9, 8, 7, 255, 6, 5, 4, 255])), [(9, 8, 7), (6, 5, 4)]),
        (png((2, 1, 16, 6), b"\0" + struct.pack(">8H", 0, 0, 65535, 32767, 9, 9, 9, 0)), BLENDED),
        (png((2, 1, 8, 3), bytes([0, 0, 1]), png_chunk(b"PLTE", bytes([*RED, 1, 2, 3]))), [RED, (1, 2, 3)]),
        (
            png(
                (2, 1, 8, 3),
                bytes([0, 0, 1]),
                png_chunk(b"PLTE", bytes([*RED, 1, 2, 3])),
                png_chunk(b"tRNS", bytes([255, 0])),
            ),
            [RED, (255, 255, 255)],
        ),
        (png((2, 1, 16, 0), b"\0" + struct.pack(">2H", 0x8000, 0xFFFF)), [(128,) * 3, (255,) * 3]),
        (png((2, 1, 1, 0), b"\0\x80"), [(255, 255, 255), (0, 0, 0)]),
    ],
    ids=["grey", "grey+alpha", "rgba", "opaque", "rgba16", "palette", "palette+alpha", "grey16", "1 bit"],
)
def test_kinds_of_pixels(tmp_path: Path, data: bytes, expected: list[tuple[int, int, int]]) -> None:
    """Every kind of pixel comes out as 8-bit RGB, transparency blended over white."""
    path = tmp_path / "two.png"
    path.write_bytes(data)

    image = only_image(path)

    assert (image.dtype, image.flags["C_CONTIGUOUS"]) == (np.uint8, True)
    np.testing.assert_array_equal(image, np.array([expected], np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (6000, 4000)])
def test_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    """A single pixel and 24 megapixels are both pictures."""
    assert only_image(save_picture(tmp_path / "p.png", plain(size=size))).shape == (size[1], size[0], 3)


def test_exif_orientation(tmp_path: Path) -> None:
    """A picture taken with a camera on its side comes out upright."""
    upright = np.concatenate([plain((255, 0, 0), (32, 32)), plain((0, 0, 255), (32, 32))], axis=0)
    path = tmp_path / "side.jpg"
    path.write_bytes(media.with_orientation(encoded(".jpg", np.rot90(upright)), 6))

    image = only_image(path)

    assert image.shape == upright.shape
    away_from_the_edge = np.r_[0:28, 36:64]
    np.testing.assert_allclose(image[away_from_the_edge].astype(int), upright[away_from_the_edge], atol=3)


def damaged_files() -> dict[str, tuple[str, bytes, str]]:
    """Name, content and expected reason of files that cannot be read."""
    jpeg, tiny = encoded(".jpg", noise()), encoded(".jpg", plain(size=(8, 8)))
    thumbnail = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiny) + 2) + tiny + jpeg[2:]
    pixels, stored = noise(), encoded(".png", noise())
    return {
        "empty picture": ("a.jpg", b"", "is empty"),
        "empty video": ("a.mp4", b"", "is empty"),
        "text": ("a.png", b"not a picture at all", "is no picture that can be read"),
        "text without suffix": ("a", b"not a picture at all", "is no picture that can be read"),
        "half a JPEG": ("a.jpg", jpeg[: len(jpeg) // 2], "is truncated: the JPEG has no end"),
        "JPEG without its last bytes": ("a.jpg", jpeg[:-8], "is truncated: the JPEG has no end"),
        "half a JPEG with a whole thumbnail": (
            "a.jpg",
            thumbnail[: len(thumbnail) // 2],
            "is truncated: the JPEG has no end",
        ),
        "JPEG with a hole": (
            "a.jpg",
            jpeg[: len(jpeg) // 2] + jpeg[-200:],
            "is damaged (Corrupt JPEG data: premature end of data segment)",
        ),
        "JPEG start only": ("a.jpg", b"\xff\xd8\xff\xd9", "is truncated or damaged"),
        "half a PNG": ("a.png", stored[: len(stored) // 2], "is truncated or damaged"),
        "half a WebP": ("a.webp", encoded(".webp", pixels)[:-99], "is truncated or damaged"),
        "half a BMP": ("a.bmp", encoded(".bmp", pixels)[:-99], "is truncated or damaged"),
        "half a TIFF": ("a.tif", encoded(".tiff", pixels)[:-99], "is truncated or damaged"),
        "too many pixels": ("a.png", png((60000, 60000, 8, 0), b""), "has more pixels than OpenCV accepts"),
        "text as video": ("a.mp4", b"not a video at all" * 99, "cannot be opened"),
    }


@pytest.mark.parametrize("case", damaged_files())
def test_unreadable_file(tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    """An unreadable file is named with the reason, in one line, and the next read goes on after it."""
    name, content, reason = damaged_files()[case]
    bad, good = tmp_path / name, save_picture(tmp_path / "good.png", plain())
    bad.write_bytes(content)

    error, frame = read_all(bad, good)

    assert isinstance(error, str)
    assert error.startswith(f"{bad} {reason}")
    assert "\n" not in error
    assert outline([frame]) == [("good.png", 0, 0.0)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff\xd8\xff\xe0 a second picture"])
def test_bytes_after_the_end_of_a_jpeg(tmp_path: Path, tail: bytes) -> None:
    """What a phone appends to a JPEG does not make it truncated."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(".jpg", plain()) + tail)

    np.testing.assert_allclose(only_image(path).astype(int), plain(), atol=3)


def test_superfluous_bytes_in_a_jpeg(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A JPEG with padding before its end, as cheap cameras write, is whole, and nothing is said of it."""
    jpeg = encoded(".jpg", plain())
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:-2] + b"\0" * 8 + jpeg[-2:])

    np.testing.assert_allclose(only_image(path).astype(int), plain(), atol=3)
    assert capfd.readouterr() == ("", "")
