"""The command line as its users call it, in processes of its own where the process matters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.recipe import shipped_recipes
from pipeline.terminal.exit_codes import MEANINGS, ExitCode
from tests.pipeline.commands import LITESMITH, litesmith

HEAVY = ("tensorflow", "tf_keras", "apache_beam", "kfp", "ai_edge_litert")


def start(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the installed command in a process of its own."""
    return subprocess.run(
        [LITESMITH, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_commands_import_nothing_heavy(tmp_path: Path) -> None:
    commands = [
        ["--help"],
        ["run", "--help"],
        ["recipe", "validate", "digits"],
        ["runs", "list", "--data-root", str(tmp_path)],
    ]
    code = f"""
import sys
from pipeline.cli.main import main
for command in {commands!r}:
    sys.argv = ["litesmith", *command]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
import pipeline.local.driver  # What the driver of a run holds.
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["LOADED []"], done.stderr


def test_help_states_every_exit_code(tmp_path: Path) -> None:
    shown = " ".join(litesmith("run", "--help", folder=tmp_path).stdout.split())
    for code, meaning in MEANINGS.items():
        assert f"{code.value}: {meaning}" in shown


def test_refused_recipe_is_one_line_on_stderr_and_bad_input(tmp_path: Path) -> None:
    done = start("run", "digits", "--set", "data.folder=nowhere", folder=tmp_path)
    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stdout == ""
    assert done.stderr.startswith("error: data.folder: there is no folder")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["run"], ["run", "digits", "--no-such-option"]], ids=" ".join
)
def test_wrong_usage_is_bad_input(arguments: list[str], tmp_path: Path) -> None:
    assert litesmith(*arguments, folder=tmp_path).returncode == ExitCode.BAD_INPUT


def test_data_root_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = litesmith("run", "digits", "--data-root", "file", folder=tmp_path)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "--data-root" in done.stderr


def test_shown_recipe_is_a_recipe(tmp_path: Path) -> None:
    shown = litesmith("recipe", "show", "digits", "--set", "train.epochs=7", folder=tmp_path)
    (tmp_path / "mine.yaml").write_text(shown.stdout)
    again = litesmith("recipe", "show", "mine.yaml", folder=tmp_path)
    assert again.stdout == shown.stdout
    assert "epochs: 7" in shown.stdout


def test_a_recipe_is_copied_looked_at_and_waits_for_pictures(tmp_path: Path) -> None:
    copied = litesmith("recipe", "new", "flowers", "--from", "folder", folder=tmp_path)
    assert "litesmith run flowers.yaml --set data.folder=PATH" in copied.stdout
    looked = litesmith("recipe", "validate", "flowers.yaml", folder=tmp_path)
    assert looked.stdout.startswith("flowers: fine; 4 candidates\n")
    assert "--set data.folder=PATH" in looked.stdout
    assert litesmith("recipe", "show", "flowers.yaml", folder=tmp_path).returncode == ExitCode.OK
    run = litesmith("run", "flowers.yaml", folder=tmp_path)
    assert (run.returncode, "--set data.folder=PATH" in run.stderr) == (ExitCode.BAD_INPUT, True)
    assert [path.name for path in tmp_path.iterdir()] == ["flowers.yaml"]


def test_help_names_every_shipped_recipe(tmp_path: Path) -> None:
    shown = " ".join(litesmith("run", "--help", folder=tmp_path).stdout.replace("│", "").split())
    assert f"A shipped recipe ({', '.join(shipped_recipes())})" in shown


def test_schema_is_json(tmp_path: Path) -> None:
    schema = json.loads(litesmith("recipe", "schema", folder=tmp_path).stdout)
    assert len(schema["oneOf"]) == 2
    for task in schema["oneOf"]:
        keys = schema["$defs"][task["$ref"].rpartition("/")[2]]["properties"]
        assert {"data", "train", "budgets", "tiny"} <= set(keys)


def test_files_named_like_our_packages_do_no_harm(tmp_path: Path) -> None:
    for name in ("components.py", "pipeline.py", "kfp.py", "typer.py"):
        (tmp_path / name).write_text("raise SystemExit('taken for ours')\n")
    assert start("recipe", "validate", "digits", folder=tmp_path).returncode == ExitCode.OK


def test_listing_runs_and_entries_of_an_empty_data_root(tmp_path: Path) -> None:
    root = ["--data-root", str(tmp_path)]
    assert "litesmith run digits" in litesmith("runs", "list", *root, folder=tmp_path).stdout
    assert "nothing is stored" in litesmith("cache", "list", *root, folder=tmp_path).stdout
    missing = litesmith("runs", "show", *root, folder=tmp_path)
    assert missing.returncode == ExitCode.BAD_INPUT


def test_plain_output_holds_no_escape_codes(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}
    done = subprocess.run(
        [LITESMITH, "recipe", "show", "nothing"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert b"\x1b" not in done.stdout + done.stderr
