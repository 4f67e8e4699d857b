"""The wheel alone, in an environment of its own, takes the digits through the pipeline."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.terminal.exit_codes import ExitCode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

REPOSITORY = Path(__file__).parents[1]


def _run(*command: str | Path, folder: Path, environment: Mapping[str, str]) -> str:
    """Runs a command to its good end; returns what it printed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == ExitCode.OK, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_alone_blesses_a_digits_model(tmp_path: Path) -> None:
    # Nothing of this process's environment may lead back to the checkout.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    uv = Path(sys.executable).with_name("uv")
    empty, python = tmp_path / "empty", tmp_path / "venv" / "bin" / "python"
    empty.mkdir()

    build = ("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable)
    _run(uv, *build, "--out-dir", tmp_path, folder=REPOSITORY, environment=environment)
    (wheel,) = tmp_path.glob("*.whl")
    _run(
        uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv",
        folder=empty, environment=environment,
    )  # fmt: skip
    install = (uv, "pip", "install", "--quiet", "--python", python)
    lock = REPOSITORY / "requirements" / "local.lock"
    hashed = ("--no-deps", "--require-hashes", "-r", lock)
    _run(*install, *hashed, folder=empty, environment=environment)
    _run(*install, "--no-deps", wheel, folder=empty, environment=environment)

    where = "import components, pipeline; print(*components.__path__, *pipeline.__path__)"
    for path in _run(python, "-c", where, folder=empty, environment=environment).split():
        assert Path(path).is_relative_to(tmp_path / "venv")

    # A user's own packages of the same names come first on Python's path, for tasks too.
    for package in ("components", "pipeline"):
        (tmp_path / "theirs" / package).mkdir(parents=True)
        (tmp_path / "theirs" / package / "__init__.py").write_text("raise SystemExit('theirs')\n")
    environment["PYTHONPATH"] = str(tmp_path / "theirs")

    litesmith = python.with_name("litesmith")
    _run(litesmith, "run", "digits", "--tiny", folder=empty, environment=environment)
    registry = empty / "litesmith-data" / "registry" / "digits"
    pointer = json.loads((registry / "blessed.json").read_text())
    assert (registry / "versions" / pointer["version"] / "model.tflite").is_file()
    (report,) = empty.glob("litesmith-data/runs/*/report.html")
    assert "int8" in report.read_text()

    listed = _run(litesmith, "models", "list", folder=empty, environment=environment)
    assert pointer["version"][:12] in listed
