"""The benchmarks run to their end, small: what they then say means nothing."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.builders.int8_models import CLASSES, build_int8_classifier, draw_examples

# One process runs them all.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("benchmarks")]

ROOT = Path(__file__).parents[2]
SMALL: Mapping[str, str] = {
    "preprocess": "--examples 64 --usual-examples 64 --rounds 1",
    "growth": "--examples 64 --new 4",
    "memory": "--examples 32 64",
    "share": "--backbone small_cnn --weights none --size 32 --pictures 4",
    "latency_ratios": "--trials 2 --runs 20",
    "schemes": "--epochs 1 --runs 10 --schemes float16",
    "ranking": "--ladders 2",
    "snap": "--examples 10 --bits 6,4 {folder}/model.tflite {folder}/pictures",
    "input_pipeline": "--examples 64 --rounds 1",
    "gpu_training": "--network MobileNetV2 --examples 16 --size 32 --batch-size 8 --rounds 1",
}
ALL_OF_THEM = """
import importlib, json, sys, traceback

for name, options in json.loads(sys.argv[1]).items():
    print(f"== {name}", flush=True)
    sys.argv = [name, *options]
    try:
        importlib.import_module(f"tests.benchmarks.{name}").main()
        print("ended")
    except (Exception, SystemExit):
        traceback.print_exc(file=sys.stdout)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each benchmark prints, and `ended` where it comes to its end."""
    folder = tmp_path_factory.mktemp("anybodys")
    write_model_and_pictures(folder)
    commands = {name: told.format(folder=folder).split() for name, told in SMALL.items()}
    done = subprocess.run(
        [sys.executable, "-c", ALL_OF_THEM, json.dumps(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    parts = (part.partition("\n") for part in done.stdout.split("== ")[1:])
    return {name: text for name, _, text in parts}


def write_model_and_pictures(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(build_int8_classifier())
    for number, pixels in enumerate(draw_examples(20).astype(np.int16) + 128):
        path = folder / "pictures" / f"class {number % CLASSES}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("preprocess", "usual"),
        ("growth", "the same data set: True"),
        ("memory", "of the memory for 2 times the pictures"),
        ("share", "4 of 4 answers the same to the bit"),
        ("latency_ratios", "of 2 measurements"),
        ("schemes", "float16"),
        ("ranking", "of these keep their budget"),
        ("input_pipeline", "generator"),
        ("gpu_training", "ours waited for input"),
    ],
)
def test_a_benchmark_runs_to_its_end(printed: Mapping[str, str], name: str, expected: str) -> None:
    assert printed[name].endswith("ended\n"), printed[name]
    assert expected in printed[name]


def test_snap_measures_anybodys_model(printed: Mapping[str, str]) -> None:
    assert [line.partition(":")[0] for line in printed["snap"].splitlines()] == [
        "as it is", "6 bits", "4 bits", "ended",
    ]  # fmt: skip
