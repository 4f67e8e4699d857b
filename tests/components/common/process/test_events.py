"""What a task tells, on a laptop and in a pod."""

import json
from pathlib import Path

import pytest

from components.common.process.events import Events


def test_a_warning_stands_in_the_log_and_goes_to_the_runner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.jsonl"
    Events("validate", path).warn("imbalance: 9 of 10")
    event = json.loads(path.read_text())
    assert (event["task"], event["event"], event["message"]) == (
        "validate",
        "warning",
        "imbalance: 9 of 10",
    )
    Events("validate").warn("imbalance: 9 of 10")
    # In a pod there is only the log, which says it once.
    assert capsys.readouterr().out == "warn: imbalance: 9 of 10\n" * 2
