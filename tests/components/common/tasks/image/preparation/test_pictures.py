"""Pictures of any sort become pictures of one sort."""

import io
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from components.common.errors import UserError
from components.common.tasks.image import sources
from components.common.tasks.image.preparation import jpeg
from components.common.tasks.image.preparation.pictures import (
    encode_picture,
    measure_picture,
    prepare_picture,
)
from components.common.tasks.image.preparation.spec import PictureError, PictureSpec
from tests.builders.synthetic import draw_picture
from tests.components.preprocess.folders import encode


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
    return np.asarray(prepare_picture(data, spec(**values)).image)


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
    first, second = (
        encode_picture(prepare_picture(d, chosen).image, chosen) for d in (plain, noted)
    )
    assert first == second
    with Image.open(io.BytesIO(first)) as picture:
        assert (picture.format, picture.size) == (encoding.upper(), (16, 16))


def test_a_jpeg_that_lacks_its_end_marker_alone_is_read():
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}):
        whole = encode(draw_picture(1, 4, size=64, channels=3), "JPEG", quality=90, **options)
        for cut in (whole[:-2], whole[:-1]):
            picture = prepare_picture(cut, spec())
            assert [note for note, _ in picture.notes] == ["missing_end"]
            assert (np.asarray(picture.image) == prepared(whole)).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}])
def test_a_jpeg_that_lacks_more_than_its_end_marker_is_truncated(options):
    noise = np.random.default_rng(3).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    whole = encode(noise, "JPEG", **options)
    for missing in range(4, 60):
        assert problem(whole[:-missing]) == "truncated"


def test_a_progressive_jpeg_without_its_last_scans_is_truncated():
    whole = encode(draw_picture(1, 4, size=64, channels=3), "JPEG", progressive=True)
    scans = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    tables = [whole.rfind(b"\xff\xc4", 0, scan) for scan in scans[1:]]
    ends = [table if table > scan else after
            for scan, table, after in zip(scans, tables, scans[1:], strict=False)]  # fmt: skip
    assert len(ends) >= 5
    assert {problem(whole[:end]) for end in ends} == {"truncated"}


def test_the_scans_of_a_picture_are_bounded():
    whole = encode(np.full((64, 64, 3), 90, np.uint8), "JPEG", progressive=True)
    start = whole.rindex(b"\xff\xda")
    many = whole[:start] + whole[start:-2] * 200 + whole[-2:]
    assert problem(many, max_pixels=64 * 64 * 10) == "oversized"
    assert prepared(whole, max_pixels=64 * 64).shape == (16, 16, 3)
    thumbnails = whole[:2] + b"\xff\xe1\x10\x00" + b"\xff\xda" * 2047 + whole[2:]
    assert (prepared(thumbnails, max_pixels=64 * 64) == prepared(whole)).all()


def test_a_run_of_fill_bytes_costs_no_more_than_other_bytes():
    started = time.process_time()
    assert jpeg.count_scans(b"\xff\xd8" + b"\xff" * 50_000 + b"\0") == 0
    assert jpeg.count_scans(b"\xff\xd8" + b"\xff" * 50_000 + b"\xda\0\2\xff\xd9") == 1
    assert time.process_time() - started < 1  # Its square takes some 10 s.


def test_a_png_with_a_wrong_checksum_is_unreadable():
    data = bytearray(encode(draw_picture(0, 0, size=64, channels=3)))
    data[data.rindex(b"IEND") - 5] ^= 1  # The last byte of the picture's checksum.
    with pytest.raises(PictureError, match="wrong checksum in 'IDAT'") as caught:
        prepare_picture(bytes(data), spec())
    assert caught.value.reason == "unreadable"


def test_the_decoder_s_own_words_are_told_and_always_the_same():
    data = bytearray(encode(COLOURS))
    data[60:80] = bytes(20)
    for _ in range(2):
        with pytest.raises(PictureError, match=r"PNG file .*: "):
            prepare_picture(bytes(data), spec())
    scrambled = b"BM" + bytes(12) + (40).to_bytes(4, "little") + b"\xff" * 60
    with pytest.raises(PictureError, match="the BMP file can't be decoded: Unsupported BMP"):
        prepare_picture(scrambled, spec())
    with pytest.raises(PictureError, match="can't be decoded: the header is damaged"):
        prepare_picture(b"GIF89a" + bytes(3), spec())


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_shade_of_grey_shows_the_background(bits):
    shades = np.array([0, 1, 2**bits - 1, 1], np.uint32)
    packed = "".join(f"{shade:0{bits}b}" for shade in shades)
    packed += "0" * (-len(packed) % 8)
    rows = (b"\0" + int(packed, 2).to_bytes(len(packed) // 8, "big")) * 4
    header = (4).to_bytes(4, "big") * 2 + bytes((bits, 0, 0, 0, 0))
    found = prepared(_png(header, rows, b"\0\1"), image_size=4, background="#102030")
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] == (16, 32, 48)).all() and (found[:, 3] == (16, 32, 48)).all()
    assert bits == 1 or (found[:, 2] == 255).all()


def test_a_transparent_colour_of_16_bits_shows_the_background():
    rows = np.full((4, 4, 3), (0x1234, 0x5678, 0x9ABC), ">u2")
    rows[:, 2:] = 0xFFFF
    header = (4).to_bytes(4, "big") * 2 + bytes((16, 2, 0, 0, 0))
    data = _png(header, b"".join(b"\0" + row.tobytes() for row in rows),
                transparency=rows[0, 0].tobytes())  # fmt: skip
    found = prepared(data, image_size=4, background="#102030")
    assert (found[:, :2] == (16, 32, 48)).all() and (found[:, 2:] == 255).all()


class TestRunLengthCodedBitmaps:
    """Rows are told from the bottom up; a value of 4 bits is half a byte."""

    @staticmethod
    def bitmap(data: bytes, *, bits: int, width: int, height: int) -> bytes:
        palette = b"".join(bytes((0, 0, min(10 * index, 255), 0)) for index in range(2**bits))
        header = (40).to_bytes(4, "little") + width.to_bytes(4, "little")
        header += height.to_bytes(4, "little") + (1).to_bytes(2, "little")
        header += bits.to_bytes(2, "little") + {8: 1, 4: 2}[bits].to_bytes(4, "little")
        header += len(data).to_bytes(4, "little") + bytes(16)
        start = 14 + len(header) + len(palette)
        file = b"BM" + (start + len(data)).to_bytes(4, "little") + bytes(4)
        return file + start.to_bytes(4, "little") + header + palette + data

    def reds(self, data: bytes, *, bits: int) -> list[list[int]]:
        picture = self.bitmap(bytes(data), bits=bits, width=8, height=8)
        return (prepared(picture, image_size=8)[:, :, 0] // 10).tolist()

    def test_4_bits(self):
        data = [
            5,
            0x12,
            0,
            3,
            0x34,
            0x50,
            0,
            0,
        ]  # A run of five, three literal ones, the row's end.
        data += [0, 0]  # An empty row.
        data += [0, 5, 0x12, 0x34, 0x50, 0, 3, 0x66]  # Five literal ones, a byte to fill the word.
        data += [0, 2, 0, 1, 0, 0]  # A row up; the one left is done.
        data += [8, 0x77, 0, 1]
        rows = self.reds(data, bits=4)[::-1]
        assert rows[0] == [1, 2, 1, 2, 1, 3, 4, 5]
        assert rows[1] == [0] * 8
        assert rows[2] == [1, 2, 3, 4, 5, 6, 6, 6]
        assert rows[3] == [0] * 8
        assert rows[4] == [7] * 8
        assert rows[5:] == [[0] * 8] * 3

    def test_8_bits(self):
        data = [5, 1, 0, 3, 2, 3, 4, 0, 0, 0, 0, 0, 8, 5, 0, 1]
        rows = self.reds(data, bits=8)[::-1]
        assert rows[:3] == [[1, 1, 1, 1, 1, 2, 3, 4], [0] * 8, [5] * 8]

    @pytest.mark.parametrize("bits", [4, 8])
    def test_data_that_ends_early_is_truncated(self, bits):
        picture = self.bitmap(bytes([8, 1, 0, 0, 8]), bits=bits, width=8, height=8)
        assert problem(picture) == "truncated"


WIDE = {
    b"rXYZ": (0.51512, 0.2412, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.1571, 0.06657, 0.78407),
}
"""The primaries of Display P3, which phones save."""
NUDGED = {b"rXYZ": (0.4375, 0.2225, 0.0139)}
"""Red as some profiles that are called sRGB have it."""


def profile_of(primaries: dict[bytes, tuple[float, ...]]) -> bytes:
    """Returns the profile of sRGB with other primaries."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(int.from_bytes(profile[128:132], "big")):
        tag = profile[132 + 12 * index : 144 + 12 * index]
        if values := primaries.get(bytes(tag[:4])):
            start = int.from_bytes(tag[4:8], "big") + 8
            fixed = b"".join(round(v * 65536).to_bytes(4, "big", signed=True) for v in values)
            profile[start : start + 12] = fixed
    return bytes(profile)


def wide_profile() -> bytes:
    return profile_of(WIDE)


class TestProfiles:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_a_wide_colour_space_is_brought_to_srgb(self, kind):
        data = encode(
            Image.new("RGB", (16, 16), (180, 90, 60)),
            kind,
            icc_profile=wide_profile(),
            **{"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(
                kind, {}
            ),
        )
        # By hand: to linear light, Display P3's primaries to sRGB's, and back.
        assert np.abs(prepared(data)[8, 8].astype(int) - (193, 83, 51)).max() <= 2

    @pytest.mark.parametrize(
        "picture",
        [
            Image.new("RGBA", (16, 16), (180, 90, 60, 255)),
            Image.new("RGB", (16, 16), (180, 90, 60)).quantize(),
        ],
        ids=["RGBA", "palette"],
    )
    def test_the_same_in_other_modes(self, picture):
        data = encode(picture, icc_profile=wide_profile())
        assert np.abs(prepared(data)[8, 8].astype(int) - (193, 83, 51)).max() <= 2

    @pytest.mark.parametrize("fit", ["pad", "crop"])
    def test_the_background_is_srgb_already(self, fit):
        picture = Image.new("RGBA", (16, 8), (180, 90, 60, 0))
        found = prepared(encode(picture, icc_profile=wide_profile()), fit=fit, background="#b45a3c")
        assert (found == (180, 90, 60)).all()
        opaque = encode(Image.new("RGB", (16, 8)), icc_profile=wide_profile())
        assert (prepared(opaque, fit="pad", background="#b45a3c")[0] == (180, 90, 60)).all()

    def test_grey_examples_know_of_the_colours(self):
        red = Image.new("RGB", (16, 16), (200, 0, 0))
        data = encode(red, "JPEG", quality=100, icc_profile=wide_profile())
        expected = np.asarray(Image.new("RGB", (1, 1), (217, 0, 0)).convert("L"))
        assert np.abs(prepared(data, channels=1).astype(int) - expected).max() <= 2

    @pytest.mark.parametrize("primaries", [{}, NUDGED])
    def test_what_is_as_good_as_srgb_stays_as_it_is(self, primaries):
        data, plain = encode(COLOURS, icc_profile=profile_of(primaries)), encode(COLOURS)
        assert (prepared(data) == prepared(plain)).all()
        assert prepare_picture(data, spec()).notes == ()

    @pytest.mark.parametrize(
        ("picture", "profile", "message"),
        [
            (COLOURS, b"nonsense", "the colour profile is damaged"),
            (COLOURS, wide_profile()[:300], "the colour profile is damaged"),
            (Image.fromarray(COLOURS).convert("CMYK"), wide_profile(),
             "the colour profile is for RGB, the picture is CMYK"),
            (COLOURS, bytes((4 << 20) + 1), "the colour profile has 4194305 bytes"),
        ],
        ids=["nonsense", "cut short", "of another kind", "enormous"],
    )  # fmt: skip
    def test_one_that_is_of_no_use_is_noted_and_ignored(self, picture, profile, message):
        data = encode(picture, "JPEG", icc_profile=profile)
        found = prepare_picture(data, spec())
        assert found.notes == (("profile_ignored", message),)
        assert (np.asarray(found.image) == prepared(encode(picture, "JPEG"))).all()


@pytest.mark.parametrize(
    ("size", "is_square"), [((40, 40), True), ((42, 40), True), ((40, 43), False)]
)
def test_whether_a_picture_was_square_is_told(size, is_square):
    assert prepare_picture(encode(Image.new("L", size)), spec()).is_square == is_square


def _png(header: bytes, rows: bytes, transparency: bytes | None = None) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    if transparency is not None:
        chunks.insert(1, chunk(b"tRNS", transparency))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_16_bit_colour(picture: np.ndarray) -> bytes:
    height, width, _ = picture.shape
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((16, 2, 0, 0, 0))
    rows = (picture.astype(np.uint16) * 257).astype(">u2")
    return _png(header, b"".join(b"\0" + row.tobytes() for row in rows))


def _png_header_alone(width: int, height: int) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    return _png(header, bytes(100))


# --- further formats ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF", "JXL"])
def test_formats_of_phones_and_cameras_keep_their_colours(kind):
    if kind in ("HEIF", "JXL"):
        module = pytest.importorskip({"HEIF": "pillow_heif", "JXL": "pillow_jxl"}[kind])
        getattr(module, "register_heif_opener", lambda: None)()
    large = Image.fromarray(COLOURS).resize((64, 64), Image.Resampling.NEAREST)
    data = encode(large, kind, **({} if kind == "TIFF" else {"quality": 95}))
    assert measure_picture(data) == ("JPEG XL" if kind == "JXL" else kind, (64, 64))
    found = prepared(data).astype(int)
    for y, x in ((4, 4), (4, 12), (12, 4), (12, 12)):  # The middles of the quarters.
        assert np.abs(found[y, x] - COLOURS[y, x]).max() <= 8


@pytest.mark.parametrize("size", [(8, 8), (256, 64), (300, 200), (400, 300), (37, 1000), (2, 1)])
@pytest.mark.parametrize("use_container", [False, True])
def test_a_jpeg_xl_tells_its_size_before_it_is_decoded(size, use_container):
    pytest.importorskip("pillow_jxl")
    data = encode(Image.new("RGB", size), "JXL", use_container=use_container, effort=1)
    assert measure_picture(data) == ("JPEG XL", size)
    with pytest.raises(PictureError, match=f"has {size[0]}x{size[1]} = "):
        prepare_picture(data[:64], spec(max_pixels=1))


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_they_are_turned_upright_once(kind):
    large = Image.fromarray(COLOURS).resize((64, 64), Image.Resampling.NEAREST)
    turned = large.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"tiffinfo": {0x0112: 6}} if kind == "TIFF" else {"exif": exif, "quality": 95}
    found = prepared(encode(turned, kind, **options)).astype(int)
    assert np.abs(found[4, 4] - COLOURS[4, 4]).max() <= 8


def test_a_format_whose_decoder_is_missing_stops_a_worker_and_rejects_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
    assert sources.examine("1.heic", head) == (
        "unsupported_format",
        "is HEIF; the extra `formats` reads such: install requirements/formats.lock, as "
        "docs/install.md says",
    )
    with pytest.raises(UserError, match="a picture is HEIF, which the extra `formats` reads"):
        prepare_picture(head, spec())


def test_16_bits_reach_as_far_as_a_tiff_file_says():
    values = np.linspace(100, 4095, 256).astype(np.uint16).reshape(16, 16)
    picture = Image.fromarray(values)
    expected = np.round((values.astype(float) - 100) / 3995 * 255)
    stated = encode(picture, "TIFF", tiffinfo={280: 100, 281: 4095})
    assert np.abs(prepared(stated, channels=1) - expected).max() == 0
    assert prepared(encode(picture, "TIFF"), channels=1).max() == round(4095 / 65535 * 255)


def test_a_tiff_file_s_numbers_need_a_range_and_white_may_be_nothing():
    values = np.linspace(-1, 1, 256).astype(np.float32).reshape(16, 16)
    with pytest.raises(PictureError, match="have 32 bits, and the file states no range"):
        prepare_picture(encode(Image.fromarray(values), "TIFF"), spec())
    stated = encode(Image.fromarray(values), "TIFF", tiffinfo={340: -1.0, 341: 1.0})
    assert np.abs(prepared(stated, channels=1) - np.round((values + 1) / 2 * 255)).max() == 0
    shades = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    inverted = encode(Image.fromarray(shades), "TIFF", tiffinfo={262: 0})
    assert np.abs(prepared(inverted, channels=1) - np.round(255 - shades / 257)).max() <= 1


def test_a_large_photograph_counts_by_what_is_decoded_of_it():
    large = draw_picture(1, 1, size=400, channels=3)
    photograph = encode(large, "JPEG", quality=90)
    small = prepared(photograph, image_size=48, max_pixels=10_000)
    assert np.abs(small - prepared(photograph, image_size=48, max_pixels=200_000)).max() == 0
    with pytest.raises(PictureError, match="has 200x200 = 40000 pixels"):
        prepare_picture(photograph, spec(image_size=160, max_pixels=10_000))
    # Its coefficients would be held whole.
    progressive = encode(large, "JPEG", quality=90, progressive=True)
    with pytest.raises(PictureError, match="has 400x400 = 160000 pixels"):
        prepare_picture(progressive, spec(image_size=48, max_pixels=10_000))
    # So would its pixels, to find out whether any are missing.
    cut = photograph.removesuffix(b"\xff\xd9")
    with pytest.raises(PictureError) as refused:
        prepare_picture(cut, spec(image_size=48, max_pixels=10_000))
    assert refused.value.reason == "truncated"
