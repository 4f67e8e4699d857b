"""A user's mistake is found before the work begins, so that a retry of it costs seconds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.common.documents.record import TaskResult
from components.common.errors import BAD_INPUT
from tests.builders.synthetic import run_context, write_dataset

ATTEMPT = """
import json, sys
from pathlib import Path

match sys.argv[1]:
    case "preprocess":
        from components.preprocess.stage import declare_stage
        stage = declare_stage()
    case "validate":
        from components.validate.stage import STAGE as stage
    case "finetune":
        from components.finetune import stage
arguments = json.loads(sys.argv[2])
paths = {name: Path(path) for name, path in json.loads(sys.argv[3]).items()}
try:
    stage.run(**arguments, **paths)
finally:
    print("loaded:", *sorted({"tensorflow", "apache_beam"} & sys.modules.keys()))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "config", "output", "message"),
    [
        ("preprocess", {"folder": "/no/such/folder", "image_size": 16}, "dataset", "/no/such"),
        (
            "validate",
            {"min_test_examples": 1000, "model_name": "shapes"},
            "validation",
            "the data set is refused",
        ),
        ("finetune", {"backbone": "small_cnn", "weights": "/no/such.h5"}, "models", "/no/such.h5"),
    ],
)
def test_a_retried_mistake_fails_again_before_anything_heavy(
    tmp_path: Path, stage: str, config: dict[str, Any], output: str, message: str
) -> None:
    context = run_context(tmp_path)
    write_dataset(context, tmp_path / "input", examples={"train": 3, "validation": 3, "test": 3})
    arguments = {"config": json.dumps(config), "context": context.to_json()}
    paths = {output: str(tmp_path / output)}
    if stage != "preprocess":
        paths["dataset"] = str(tmp_path / "input")
    command = [sys.executable, "-c", ATTEMPT, stage, json.dumps(arguments), json.dumps(paths)]
    for _ in range(2):
        attempt = subprocess.run(command, capture_output=True, text=True)
        assert attempt.returncode == BAD_INPUT, attempt.stderr
        assert attempt.stdout.splitlines()[-1] == "loaded:"
        assert message in attempt.stderr and "Traceback" not in attempt.stderr
        data = context.data().read(f"{context.run_folder()}/tasks/{stage}.json")
        result = TaskResult.parse(data)
        assert (result.status, result.user_error) == ("failed", True)
