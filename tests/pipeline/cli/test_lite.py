"""The commands on anybody's `.tflite`, as their users call them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.errors import UserError
from pipeline.cli.lite import libraries_hushed
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.int8_models import CLASSES, build_int8_classifier, draw_examples
from tests.builders.tflite_models import build_brightness_judge, build_classifier
from tests.documented import typed
from tests.pipeline.commands import LITESMITH, litesmith

PAGE = Path(__file__).parents[3] / "docs" / "tools.md"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(build_classifier())
    return path


def test_inspect_shows_a_model_in_words_and_as_json(model: Path) -> None:
    shown = litesmith("inspect", "model.tflite", folder=model.parent)
    assert shown.returncode == ExitCode.OK
    assert "1 CONV_2D, 1 MEAN, 1 FULLY_CONNECTED, 1 SOFTMAX" in shown.stdout
    found = json.loads(litesmith("inspect", "model.tflite", "--json", folder=model.parent).stdout)
    assert found["sizes"]["raw"] == model.stat().st_size


def test_bench_shows_percentiles_and_the_ratio(model: Path) -> None:
    command = ["bench", "model.tflite", "model.tflite", "--runs", "20", "--threads", "1"]
    shown = litesmith(*command, folder=model.parent).stdout.splitlines()
    assert re.search(r"20  -\s*$", shown[-2])
    assert re.search(r"20  [\d.]+ times \([\d.]+ to [\d.]+\)\s*$", shown[-1])
    found = json.loads(litesmith(*command, "--json", folder=model.parent).stdout)
    assert [one["latencies"][0]["runs"] for one in found["models"]] == [20, 20]


def test_compare_says_by_its_exit_status_whether_the_margin_is_proven(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(build_brightness_judge(threshold=128.0))
    for label, level in (("dark", 50), ("light", 200)):
        for number in range(15):
            path = tmp_path / "pictures" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (level, level, number)).save(path)
    command = ["compare", "model.tflite", "model.tflite", "--data", "pictures"]
    proven = litesmith(*command, "--margin", "0.15", folder=tmp_path)
    assert proven.returncode == ExitCode.OK
    assert "30 pictures: the same class for 100.0 %; 0 answers lost, 0 won" in proven.stdout
    assert "proven: a drop of less than 15 points" in proven.stdout
    unproven = litesmith(*command, "--margin", "0.01", "--json", folder=tmp_path)
    assert unproven.returncode == ExitCode.NOT_BLESSED
    assert json.loads(unproven.stdout)["proven"] is False
    assert litesmith(*command, "--margin", "2", folder=tmp_path).returncode == ExitCode.BAD_INPUT


def test_shrink_writes_a_smaller_file_where_no_margin_forbids_it(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(build_int8_classifier())
    for number, pixels in enumerate(draw_examples(40).astype(np.int16) + 128):
        path = tmp_path / "pictures" / f"class {number % CLASSES}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    command = ["shrink", "model.tflite", "--data", "pictures"]
    refused = litesmith(*command, "--margin", "0.001", folder=tmp_path)
    assert refused.returncode == ExitCode.NOT_BLESSED
    assert "not written" in refused.stdout
    assert not (tmp_path / "model-small.tflite").exists()
    shown = litesmith(*command, "--bits", "4", folder=tmp_path)
    assert shown.returncode == ExitCode.OK
    assert "weights snapped to 4 bits and equal vectors written once" in shown.stdout
    found = json.loads(
        litesmith(*command, "--output", "own.tflite", "--json", folder=tmp_path).stdout
    )
    assert (tmp_path / "own.tflite").stat().st_size == found["after"]["raw"]
    assert (tmp_path / "model-small.tflite").stat().st_size == found["after"]["raw"]
    assert (tmp_path / "model.tflite").read_bytes() == build_int8_classifier()


def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    for name in ("MODEL", "A", "B", "FLOAT", "INT8"):
        (tmp_path / f"{name}.tflite").write_bytes(build_brightness_judge(threshold=128.0))
    (tmp_path / "labels.txt").write_text("dark\nlight\n")
    rows = ["path,label"]
    for label, level in (("dark", 50), ("light", 200)):
        (tmp_path / "PICTURES" / label).mkdir(parents=True)
        rows.append(f"PICTURES/{label}/0.png,{label}")
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / "PICTURES" / label / "0.png")
    (tmp_path / "test.csv").write_text("\n".join(rows))
    commands = [text for text in typed(PAGE) if "litesmith drift" not in text]
    assert len(commands) >= 10
    for text in commands:
        done = litesmith(*shlex.split(text)[1:], folder=tmp_path)
        # Two pictures prove no margin.
        expected = ExitCode.NOT_BLESSED if "--margin" in text else ExitCode.OK
        assert done.returncode == expected, (text, done.stderr)


def test_a_file_that_is_no_model_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("not a model")
    done = litesmith("inspect", "text.tflite", folder=tmp_path)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr.startswith("error: text.tflite: not a .tflite file")


def test_where_litert_is_missing_the_set_to_install_is_named(model: Path) -> None:
    code = """
import sys
sys.modules["ai_edge_litert"] = None  # As if it were not installed.
from pipeline.cli.main import main
sys.argv = ["litesmith", "inspect", "model.tflite"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=model.parent, capture_output=True, text=True
    )
    assert done.returncode == ExitCode.BAD_INPUT
    assert "ai_edge_litert" in done.stderr
    assert "requirements/lite.lock" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_drift_says_nothing_of_tensorflow(model: Path) -> None:
    for name in ("a", "b"):
        (model.parent / "pictures" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(model.parent / "pictures" / name / "1.png")
    command = [LITESMITH, "drift", ".", "model.tflite", "--data", "pictures"]
    done = subprocess.run(command, cwd=model.parent, capture_output=True, text=True)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr.startswith("error: .: holds no bundle.json")


@pytest.mark.parametrize(("error", "said"), [(UserError, ""), (RuntimeError, "a library's line")])
def test_what_libraries_say_is_shown_where_they_break(
    capfd: pytest.CaptureFixture[str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error), libraries_hushed():
        os.write(2, b"a library's line")
        raise error("broken")
    os.write(2, b", and what follows")
    assert capfd.readouterr().err == f"{said}, and what follows"


def test_no_tensorflow_is_imported(model: Path) -> None:
    code = """
import sys
from pipeline.cli.main import main
sys.argv = ["litesmith", "inspect", "model.tflite"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = ("tensorflow", "tf_keras", "apache_beam", "kfp")
print("LOADED", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=model.parent, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["LOADED []"], done.stderr
