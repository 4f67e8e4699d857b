"""A kubectl that does what a test says."""

import stat
from pathlib import Path

import pytest


def give_kubectl(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a kubectl on the PATH that does what a script says."""
    kubectl = folder / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f"#!/bin/sh\n{script}\n")
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(kubectl.parent), prepend=":")
