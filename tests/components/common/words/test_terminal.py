"""Names and messages of others, on their way to a terminal or into Markdown."""

import io
import json

import pytest

from components.common.errors import pass_over
from components.common.words.markdown import escape_markdown
from components.common.words.terminal import say, visible

STEERING = ("\x1b[2J", "\x1b]0;title\x07", "\r", "\x9b31m", "\x7f", "\u202e", "\u2066", "\ud83d")


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_terminal_is_written_out(text: str) -> None:
    shown = visible(f"a {text} b")
    assert shown.isprintable() and shown.encode()
    assert json.loads(f'"{shown}"') == f"a {text} b"  # Nothing is lost.


@pytest.mark.parametrize(
    "text", ["Ünï\tcödé\n", "👩\u200d🔬", "日本語", "\u0627\u0644", "a\\u001b"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_what_is_said_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    say("run \x1b[31m is\nfine")
    pass_over(ValueError("\x1b[2Jgone"))
    out, err = capsys.readouterr()
    assert (out, err) == ("run \\u001b[31m is\nfine\n", "passed over: \\u001b[2Jgone\n")
    stream = io.StringIO()
    say("\x1b", to=stream, end="")
    assert stream.getvalue() == "\\u001b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=//evil onerror=a>", "&lt;img src=//evil onerror=a>"),
        ("&lt;b>", "&amp;lt;b>"),
        ("[click](//evil) ![x][y]", "[click\\](//evil) ![x\\][y]"),
        ("[x]: //evil", "[x\\]: //evil"),
        ("a | b \\| c", "a \\| b \\\\\\| c"),
        ("# big\n\n- list", "\\# big - list"),
        ("quantize[int8] failed: see `litesmith runs show`", None),
    ],
)
def test_markdown_shows_what_was_written(text: str, shown: str | None) -> None:
    assert escape_markdown(text) == (text if shown is None else shown)
