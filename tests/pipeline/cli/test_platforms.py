"""Where litesmith says that it can't run, before anything fails there."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.cli.platforms import PYTHONS, refuse_platform

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize(
    ("system", "machine"), [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")]
)
def test_what_has_wheels_is_taken(system: str, machine: str, version: tuple[int, int]) -> None:
    assert refuse_platform(system, machine, version) is None


@pytest.mark.parametrize(
    ("system", "machine", "version", "words"),
    [
        ("Darwin", "x86_64", (3, 11), ["Darwin on x86_64", "Apple silicon"]),
        ("Windows", "AMD64", (3, 12), ["Windows on AMD64", "WSL 2"]),
        ("Linux", "armv7l", (3, 12), ["Linux on armv7l", "x86-64 or aarch64"]),
        ("FreeBSD", "amd64", (3, 12), ["FreeBSD on amd64"]),
        ("Linux", "x86_64", (3, 14), ["Python 3.11 to 3.13", "this is 3.14", "PYTHON=python3.13"]),
        ("Linux", "x86_64", (3, 9), ["Python 3.11 to 3.13", "this is 3.9"]),
        ("Darwin", "arm64", (4, 0), ["this is 4.0"]),
    ],
)
def test_what_has_none_is_refused_in_a_sentence(
    system: str, machine: str, version: tuple[int, int], words: list[str]
) -> None:
    refusal = refuse_platform(system, machine, version)
    assert refusal is not None and "\n" not in refusal
    for word in words:
        assert word in refusal


def test_make_asks_before_it_sets_anything_up(tmp_path: Path) -> None:
    steps = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "--dry-run",
            f"VENV={tmp_path / 'venv'}",
            f"PYTHON={sys.executable}",
            "demo",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    first = steps.stdout.splitlines()[0]
    assert first == f"{sys.executable} -I pipeline/cli/platforms.py"
    assert subprocess.run(first.split(), cwd=REPOSITORY, check=False).returncode == 0


def test_the_package_asks_for_the_same_pythons() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (_, oldest), (_, newest) = PYTHONS
    assert project["requires-python"] == f">=3.{oldest},<3.{newest + 1}"
