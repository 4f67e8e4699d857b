"""Pictures that cykooz-resizer makes smaller are those that Pillow makes."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.errors import UserError
from components.common.tasks.image.preparation import resizing
from components.common.tasks.image.preparation.resizing import Box, resize
from components.preprocess.config import PreprocessConfig

cykooz_resizer = pytest.importorskip("cykooz_resizer")


def draw(width: int, height: int, mode: str) -> Image.Image:
    """Draws waves of several lengths, and noise."""
    random = np.random.default_rng(width * height)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(x / length + y / (length + 3)) for length in (2, 9, 40)]
    shades = 128 + 40 * sum(waves)[..., None] + random.normal(0, 8, (height, width, 3))
    return Image.fromarray(shades.clip(0, 255).astype(np.uint8)).convert(mode)


def differences(
    picture: Image.Image, size: tuple[int, int], box: Box
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    ours, pillows = (
        np.asarray(resize(picture, size, box, by=by), np.int64) for by in ("cykooz", "pillow")
    )
    assert ours.shape == pillows.shape
    return np.abs(ours - pillows)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("width", "height", "size", "box"),
    [
        (500, 375, (224, 224), (62.5, 0, 437.5, 375)),
        (375, 500, (224, 224), (0, 62.5, 375, 437.5)),
        (500, 375, (224, 168), (0, 0, 500, 375)),
        (500, 375, (224, 224), (0, 0, 500, 375)),
        (400, 90, (32, 32), (155, 0, 245, 90)),
        (40, 61, (96, 96), (0, 10.5, 40, 50.5)),
        (500, 1, (224, 1), (0, 0, 500, 1)),
        (224, 224, (224, 224), (0, 0, 224, 224)),
    ],
)
def test_does_as_pillow(
    width: int, height: int, size: tuple[int, int], box: Box, mode: str
) -> None:
    found = differences(draw(width, height, mode), size, box)
    assert found.max() <= 1
    assert (found > 0).mean() < 0.05


def test_leaves_to_pillow_what_becomes_four_times_smaller() -> None:
    picture = draw(384, 375, "RGB")
    assert differences(picture, (96, 96), (0, 0, 384, 375)).max() == 0
    assert differences(picture, (97, 97), (0, 0, 384, 375)).max() == 1  # One that does differ.


def test_is_the_same_whatever_instructions_a_processor_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture, box = draw(500, 375, "RGB"), (62.5, 0.0, 437.5, 375.0)
    usual = resize(picture, (224, 224), box, by="cykooz")
    plain = cykooz_resizer.Resizer()
    plain.cpu_extensions = cykooz_resizer.CpuExtensions.none
    monkeypatch.setattr(resizing.load_cykooz("RGB"), "_resizer", plain)
    assert resize(picture, (224, 224), box, by="cykooz").tobytes() == usual.tobytes()


def test_a_worker_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    resizing.load_cykooz.cache_clear()
    with pytest.raises(UserError, match="cykooz-resizer, which can't be loaded here"):
        resize(draw(8, 8, "L"), (4, 4), (0, 0, 8, 8), by="cykooz")


def test_a_worker_on_which_it_is_broken_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = "raise ImportError('libc.so.6: version `GLIBC_2.99` not found')"
    (tmp_path / "cykooz_resizer.py").write_text(broken)
    monkeypatch.delitem(sys.modules, "cykooz_resizer")
    monkeypatch.syspath_prepend(tmp_path)
    resizing.load_cykooz.cache_clear()
    with pytest.raises(UserError, match="can't be loaded here .*GLIBC_2.99"):
        resize(draw(8, 8, "L"), (4, 4), (0, 0, 8, 8), by="cykooz")


def test_what_is_installed_is_part_of_what_a_data_set_is(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PreprocessConfig(folder="photos")
    assert config.picture_spec().resizer == config.identify("")["resizer"] == "cykooz"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert config.picture_spec().resizer == config.identify("")["resizer"] == "pillow"
