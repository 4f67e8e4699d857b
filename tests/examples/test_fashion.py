"""The Fashion-MNIST example: which picture is in which split, and under which label."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.examples.fashion import VALIDATION_EVERY, read_idx, write_pictures


def _write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes()))


def test_pictures_keep_their_label_and_the_official_split(tmp_path: Path):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (VALIDATION_EVERY + 1, 28, 28)).astype(np.uint8)
    labels = np.arange(VALIDATION_EVERY + 1, dtype=np.uint8) % 10
    for name in ("train", "t10k"):
        _write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", pictures)
        _write_idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", labels)

    rows = list(write_pictures(tmp_path, tmp_path / "out"))

    assert [row["split"] for row in rows[: VALIDATION_EVERY + 1]] == [
        "validation",
        *["train"] * (VALIDATION_EVERY - 1),
        "validation",
    ]
    assert {row["split"] for row in rows[VALIDATION_EVERY + 1 :]} == {"test"}
    assert rows[9]["label"] == "ankle boot"
    with Image.open(tmp_path / "out" / rows[-1]["path"]) as picture:
        assert np.array_equal(np.asarray(picture), pictures[-1])


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x0d\1\0\0\0\0"))
    with pytest.raises(SystemExit, match="no IDX file"):
        read_idx(path)
