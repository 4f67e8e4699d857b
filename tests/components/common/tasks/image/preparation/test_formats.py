"""Formats are told by a file's first bytes."""

import numpy as np
import pytest
from PIL import Image

from components.common.tasks.image.preparation.formats import (
    DECODED_FORMATS,
    HEAD_BYTES,
    sniff_format,
)
from components.common.tasks.image.sources import trim
from tests.components.preprocess.folders import encode

PICTURE = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize("kind", DECODED_FORMATS)
def test_what_is_read_is_told_by_its_name(kind):
    head = encode(PICTURE, kind)[:HEAD_BYTES]
    assert sniff_format(head) == sniff_format(trim(head)) == kind
    assert len(trim(head)) < 20  # Of each file of a source they are remembered.


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (encode(PICTURE, "TIFF"), "TIFF"),
        (encode(PICTURE, "TIFF", big_tiff=True), "TIFF"),
        (encode(PICTURE, "JPEG2000"), "JPEG 2000"),
        (encode(PICTURE, "JPEG2000", no_jp2=True), "JPEG 2000"),
        (encode(PICTURE, "AVIF"), "AVIF"),
        (encode(PICTURE, "ICO"), "ICO"),
        (encode(PICTURE, "PPM"), "PPM"),
        (b"P1\n# a comment\n2 2\n0 1 1 0\n", "PPM"),
        (b"P7\nWIDTH 2\nHEIGHT 2\n", "PPM"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x1cftyphevc\0\0\0\0", "HEIF"),
        (b"\0\0\0\x1cftypavis\0\0\0\0", "AVIF"),
        (b"\xff\x0a\x7f\x40", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1", "PSD"),
        (SVG.encode(), "SVG"),
        (f'\ufeff<?xml version="1.0"?>\n<!-- a logo -->\n{SVG}'.encode(), "SVG"),
    ],
)
def test_formats_are_known_by_name_whether_they_are_read_or_not(head, kind):
    assert sniff_format(head[:HEAD_BYTES]) == sniff_format(trim(head[:HEAD_BYTES])) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"P5, a class of polymers",
        b"BMW, a car, is no bitmap",
        b"<html><body>Not found</body></html>",
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
        b"id,label\n1,a\n",
    ],
)
def test_other_files_are_no_pictures(head):
    assert sniff_format(head) is sniff_format(trim(head)) is None
