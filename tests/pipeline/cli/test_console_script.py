"""The installed command, where other packages of the names of ours stand on Python's path."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.terminal.exit_codes import ExitCode

LITESMITH = str(Path(sys.executable).with_name("litesmith"))
_RAISE = "raise SystemExit('taken for ours')\n"


def run(
    *command: str, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )


def shadow(folder: Path) -> Path:
    """Writes a module and a package with the names of litesmith's own."""
    (folder / "components").mkdir(parents=True)
    (folder / "components" / "__init__.py").write_text(_RAISE)
    (folder / "pipeline.py").write_text(_RAISE)
    return folder


@pytest.mark.parametrize(
    "shown",
    [
        "absolute",
        *(
            pytest.param(shown, marks=pytest.mark.slow)
            for shown in ("relative", "among others", "working folder")
        ),
    ],
)
def test_packages_of_the_same_names_do_no_harm(shown: str, tmp_path: Path) -> None:
    other = shadow(tmp_path / "other")
    path, folder = {
        "absolute": (str(other), tmp_path),
        "relative": ("other", tmp_path),
        "among others": (os.pathsep.join(["", str(tmp_path / "none"), str(other)]), other),
        "working folder": (".", other),
    }[shown]
    done = run(
        LITESMITH, "recipe", "validate", "digits", folder=folder, environment={"PYTHONPATH": path}
    )
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


@pytest.mark.slow
def test_what_the_command_starts_finds_our_packages_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.png").write_bytes(name.encode())
    sets = ["--set", "data.folder=pictures", "--set", "budgets.accuracy_drop=null"]
    done = run(
        *(LITESMITH, "doctor", "folder", *sets),
        folder=tmp_path,
        environment={"PYTHONPATH": str(shadow(tmp_path / "other"))},
    )
    assert "2 of 2 records are rejected" in done.stdout, done.stdout + done.stderr


def test_other_entries_of_pythonpath_stay(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    path = os.pathsep.join([str(shadow(tmp_path / "other")), str(tmp_path / "kept")])
    code = (
        "import os, sys, litesmith_command; sys.argv = ['litesmith', 'recipe', 'show', 'digits']\n"
        "try: litesmith_command.main()\n"
        "finally: print(os.environ['PYTHONPATH'])"
    )
    done = run(sys.executable, "-P", "-c", code, folder=tmp_path, environment={"PYTHONPATH": path})
    assert done.stdout.splitlines()[-1] == str(tmp_path / "kept"), done.stderr


def test_a_package_that_cannot_be_taken_off_the_path_is_named(tmp_path: Path) -> None:
    other = shadow(tmp_path / "site")
    code = f"import sys, litesmith_command; sys.path.insert(0, {str(other)!r})\n"
    done = run(*(sys.executable, "-P", "-c", code + "litesmith_command.main()"), folder=tmp_path)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr.startswith(f"error: {other / 'pipeline.py'} hides litesmith's own")
    assert len(done.stderr.splitlines()) == 1


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"rmdir {gone} && exec {LITESMITH} recipe validate digits"
    done = run("sh", "-c", command, folder=gone)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stderr == "error: the working folder is gone; change to another one\n"
