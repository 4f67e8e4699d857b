"""What tests of training share: one process that has two devices."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def on_two_devices() -> dict[str, Any]:
    """Name of a test's module -> what its `train_mirrored` returned on two devices.

    They are in a process of their own, which must begin with them.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.components.common.training.two_devices"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
