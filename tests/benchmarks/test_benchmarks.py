"""The benchmarks run to their end, small: what they then say means nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.builders.int8_models import CLASSES, build_int8_classifier, draw_examples

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["preprocess", "--examples", "64", "--usual-examples", "64", "--rounds", "1"], "usual"),
        (["growth", "--examples", "64", "--new", "4"], "the same data set: True"),
        (
            ["share", "--backbone", "small_cnn", "--weights", "none", "--size", "32"]
            + ["--pictures", "4"],
            "4 of 4 answers the same to the bit",
        ),
        (["latency_ratios", "--trials", "2", "--runs", "20"], "of 2 measurements"),
        (["schemes", "--epochs", "1", "--runs", "10", "--schemes", "float16"], "float16"),
        (["ranking", "--ladders", "2"], "of these keep their budget"),
        (["input_pipeline", "--examples", "64", "--rounds", "1"], "generator"),
        (
            ["gpu_training", "--network", "MobileNetV2", "--examples", "16", "--size", "32"]
            + ["--batch-size", "8", "--rounds", "1"],
            "ours waited for input",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_benchmark_runs_to_its_end(arguments, expected):
    name, *options = arguments
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


@pytest.mark.slow
def test_snap_measures_anybodys_model(tmp_path):
    (tmp_path / "model.tflite").write_bytes(build_int8_classifier())
    for number, pixels in enumerate(draw_examples(20).astype(np.int16) + 128):
        path = tmp_path / "pictures" / f"class {number % CLASSES}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    command = [sys.executable, "-m", "tests.benchmarks.snap", "--examples", "10", "--bits", "6,4"]
    done = subprocess.run(
        [*command, str(tmp_path / "model.tflite"), str(tmp_path / "pictures")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "as it is", "6 bits", "4 bits",
    ]  # fmt: skip
