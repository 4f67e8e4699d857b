"""MediaPipe, asked in a Python of its own: it can't share TensorFlow's environment."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

MEDIAPIPE_PYTHON = os.environ.get("LITESMITH_MEDIAPIPE_PYTHON")

needs_mediapipe = pytest.mark.skipif(
    MEDIAPIPE_PYTHON is None,
    reason="set LITESMITH_MEDIAPIPE_PYTHON to a Python that has mediapipe (it cannot share "
    "TensorFlow's environment)",
)

_SCRIPTS = Path(__file__).parent / "components" / "common"


def classify_pictures(model: Path, pictures: Sequence[Path]) -> list[dict[str, float]]:
    """Returns class name -> score of each picture."""
    script = _SCRIPTS / "lite" / "mediapipe_classify.py"
    child = _run(str(script), str(model), *map(str, pictures))
    found: list[dict[str, float]] = json.loads(child.stdout)
    return found


def classify_texts(model: Path, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Returns the `labels`, and of each text the `scores` in their order."""
    given, made = folder / "texts.json", folder / "scores.json"
    given.write_text(json.dumps(texts))
    script = _SCRIPTS / "tasks" / "text" / "mediapipe_classify_texts.py"
    _run(str(script), str(model), str(given), str(made))
    found: dict[str, Any] = json.loads(made.read_text())
    return found


def run_code(code: str, folder: Path) -> str:
    """Returns what lines of code print, run in a folder."""
    return _run("-c", code, cwd=folder).stdout


def _run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(MEDIAPIPE_PYTHON), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
