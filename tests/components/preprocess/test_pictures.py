"""Pictures of any sort become pictures of one sort."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from components.preprocess.pictures import (
    PictureError,
    PictureSpec,
    encode_picture,
    prepare_picture,
)
from tests.components.preprocess.folders import encode
from tests.synthetic import draw_picture


def spec(**values) -> PictureSpec:
    defaults = {
        "image_size": 16,
        "channels": 3,
        "fit": "stretch",
        "background": "#ffffff",
        "encoding": "png",
        "jpeg_quality": 95,
        "max_pixels": 10_000,
    }
    return PictureSpec(**{**defaults, **values})


def prepared(data: bytes, **values) -> np.ndarray:
    return np.asarray(prepare_picture(data, spec(**values)))


COLOURS = np.zeros((16, 16, 3), np.uint8)
COLOURS[:8, :8] = (200, 30, 30)
COLOURS[8:, 8:] = (20, 180, 60)
COLOURS[:8, 8:] = (10, 60, 190)
"""Four quarters: red, blue, black, green."""
GREY = draw_picture(0, 1).squeeze()


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 98, "subsampling": 0}, 6),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 6),
    ],
)
def test_each_format_keeps_its_colours(kind, options, tolerance):
    array = prepared(encode(COLOURS, kind, **options)).astype(int)
    assert array.shape == (16, 16, 3)
    assert np.abs(array - COLOURS).max() <= tolerance


def test_a_palette_keeps_its_colours():
    picture = Image.fromarray(COLOURS).convert("P", palette=Image.Palette.ADAPTIVE)
    assert (prepared(encode(picture)) == COLOURS).all()


def test_a_gif_gives_its_first_frame():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("#c80000", "#00c800")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert prepared(data)[0, 0].tolist() == [200, 0, 0]


def test_grey_and_bilevel_pictures_gain_channels():
    assert (prepared(encode(GREY)) == GREY[:, :, None]).all()
    bilevel = Image.fromarray(GREY > 128)
    assert set(np.unique(prepared(encode(bilevel)))) == {0, 255}


def test_colour_becomes_luma():
    luma = np.asarray(Image.fromarray(COLOURS).convert("L"))
    assert (prepared(encode(COLOURS), channels=1) == luma).all()
    jpeg = encode(COLOURS, "JPEG", quality=98, subsampling=0)
    assert np.abs(prepared(jpeg, channels=1).astype(int) - luma).max() <= 6


def test_16_bits_are_scaled_not_clipped():
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.round(values / 65535 * 255).astype(int)
    data = encode(Image.fromarray(values))
    assert np.abs(prepared(data, channels=1) - expected).max() == 0
    assert np.abs(prepared(data)[:, :, 1] - expected).max() == 0


def test_16_bit_colour_is_scaled():
    assert (prepared(_png_16_bit_colour(COLOURS)) == COLOURS).all()


def test_cmyk_becomes_rgb():
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=98)
    red, green, blue = prepared(data)[8, 8]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "tRNS"])
def test_transparency_shows_the_background(mode):
    picture = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    if mode == "P":
        picture = Image.new("P", (16, 16), 3)
        picture.putpalette(bytes(range(256)) * 3)
        data = encode(picture, transparency=3)
    elif mode == "tRNS":
        data = encode(Image.new("RGB", (16, 16), (1, 2, 3)), transparency=(1, 2, 3))
    else:
        data = encode(picture.convert(mode))
    assert (prepared(data, background="#102030") == (16, 32, 48)).all()


def test_half_transparency_is_blended():
    data = encode(Image.new("RGBA", (16, 16), (255, 0, 0, 128)))
    assert np.abs(prepared(data)[0, 0].astype(int) - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_honoured(orientation, kind):
    stored = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.transpose(1, 0, 2),
        6: np.rot90(COLOURS, 1),
        7: COLOURS[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOURS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    data = encode(np.ascontiguousarray(stored), kind, quality=98, exif=exif, **options)
    assert np.abs(prepared(data).astype(int) - COLOURS).max() <= 8


def test_a_damaged_exif_block_does_no_harm():
    data = encode(COLOURS, "JPEG", quality=98, subsampling=0, exif=b"Exif\0\0nonsense")
    assert np.abs(prepared(data).astype(int) - COLOURS).max() <= 6


def test_crop_pad_and_stretch():
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    crop = prepared(encode(wide), channels=1, fit="crop", image_size=20)
    assert (crop == 200).all()
    pad = prepared(encode(wide), channels=1, fit="pad", image_size=30, background="#404040")
    assert (pad[:10] == 64).all() and (pad[20:] == 64).all()
    assert (pad[10:20, 12:18] == 200).all() and (pad[10:20, :8] == 0).all()
    stretch = prepared(encode(wide), channels=1, fit="stretch", image_size=30)
    assert (stretch[:, 12:18] == 200).all() and (stretch[:, :8] == 0).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_large_jpeg_decoded_small_looks_like_one_decoded_whole(fit):
    y, x = np.mgrid[:400, :600]
    smooth = np.stack([x * 255 // 599, y * 255 // 399, (x + y) * 255 // 998], -1).astype(np.uint8)
    values = {"fit": fit, "image_size": 40, "max_pixels": 240_000}
    small = prepared(encode(smooth, "JPEG", quality=95), **values).astype(int)
    whole = prepared(encode(smooth), **values).astype(int)
    assert np.abs(small - whole).max() <= 6


def test_a_picture_of_one_pixel_is_enlarged():
    assert (prepared(encode(np.full((1, 1, 3), 77, np.uint8)), fit="crop") == 77).all()
    line = prepared(encode(np.full((1, 50, 3), 77, np.uint8)), fit="pad")
    assert line.shape == (16, 16, 3) and (line == 77).any()


def problem(data: bytes, **values) -> str:
    with pytest.raises(PictureError) as caught:
        prepare_picture(data, spec(**values))
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_a_file_cut_short_is_truncated(kind):
    data = encode(draw_picture(0, 0, size=64, channels=3), kind)
    assert problem(data[: len(data) * 2 // 3]) == "truncated"


def test_a_scrambled_file_is_unreadable():
    data = bytearray(encode(COLOURS))
    data[60:80] = bytes(20)
    assert problem(bytes(data)) == "unreadable"
    assert problem(b"\x89PNG\r\n\x1a\n" + bytes(100)) == "unreadable"
    assert problem(b"no picture at all") == "unreadable"


def test_a_bomb_is_not_decoded():
    assert problem(_png_header_alone(60_000, 60_000)) == "oversized"
    assert problem(encode(COLOURS), max_pixels=255) == "oversized"
    assert prepared(encode(COLOURS), max_pixels=256).shape == (16, 16, 3)


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_encoding_is_deterministic_and_carries_pixels_alone(encoding):
    notes = {"comment": b"from a camera", "dpi": (300, 300), "icc_profile": b"profile"}
    plain, noted = encode(COLOURS, "JPEG"), encode(COLOURS, "JPEG", **notes)
    chosen = spec(encoding=encoding)
    first, second = (encode_picture(prepare_picture(d, chosen), chosen) for d in (plain, noted))
    assert first == second
    with Image.open(io.BytesIO(first)) as picture:
        assert (picture.format, picture.size) == (encoding.upper(), (16, 16))


def _png(header: bytes, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_16_bit_colour(picture: np.ndarray) -> bytes:
    height, width, _ = picture.shape
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((16, 2, 0, 0, 0))
    rows = (picture.astype(np.uint16) * 257).astype(">u2")
    return _png(header, b"".join(b"\0" + row.tobytes() for row in rows))


def _png_header_alone(width: int, height: int) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    return _png(header, bytes(100))
