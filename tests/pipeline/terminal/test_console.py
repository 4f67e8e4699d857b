"""What the command's console makes of names and messages that are somebody else's."""

import io
from pathlib import Path

from rich.table import Table
from rich.text import Text

from pipeline.terminal.console import make_table, open_console
from pipeline.terminal.exit_codes import ExitCode
from tests.pipeline.commands import litesmith

HOSTILE = "run \x1b[2J\x1b]8;;http://evil\x1b\\\x9b [/red] :smile: \u202e"


def test_tables_and_texts_show_others_words_as_they_are() -> None:
    shown = io.StringIO()
    console = open_console(file=shown, force_terminal=True, width=200, color_system="standard")
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE, style="red"))
    console.print(table)
    console.print(HOSTILE)
    console.print(Text.assemble(("error:", "bold red"), HOSTILE))
    text = shown.getvalue()
    assert "\x1b[1;31merror:" in text  # Our own colours are there,
    for steering in ("\x1b[2J", "\x1b]8", "\x9b", "\u202e"):  # and nothing of others'.
        assert steering not in text
    assert text.count("run \\u001b[2J") == 5
    assert text.count("[/red] :smile:") == 2  # A table cuts what is wider than it looks.


def test_a_long_path_is_folded_where_its_column_wraps() -> None:
    shown = io.StringIO()
    table = make_table("model", "size", figures=("size",), wraps=("model",))
    for name in ("a", "b"):
        table.add_row("/".join(["folder"] * 20) + f"/{name}.tflite", "1 MB")
    open_console(file=shown, width=60).print(table)
    whole = "".join(shown.getvalue().replace("1 MB", "").split())
    assert "/folder/a.tflite" in whole and "/folder/b.tflite" in whole


def test_an_error_shows_what_it_names_without_obeying_it(tmp_path: Path) -> None:
    name = "\x1b[2J\x1b[32mfine\x1b[0m.yaml"
    (tmp_path / name).write_text("na\u202eme: 1\nname: [\n")
    for command in (["recipe", "validate", name], ["run", "no-such\x1b[2J"]):
        done = litesmith(*command, folder=tmp_path)
        assert done.returncode == ExitCode.BAD_INPUT
        assert "\x1b" not in done.stderr and "\\u001b[2J" in done.stderr
