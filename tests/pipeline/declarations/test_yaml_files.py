"""The one reader of YAML: what a value means, and what a hostile file can't do."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import UserError
from pipeline.declarations.yaml_files import MAX_BYTES, MAX_DEPTH, parse_yaml, read_yaml, write_yaml

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_NUMBERLIKE = st.from_regex(r"[-+0-9._eEinfo~:]{1,7}", fullmatch=True)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | _NUMBERLIKE
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4_000_000", 4_000_000),
        ("-1_0", -10),
        ("'4_000'", "4_000"),
        ("1__0", "1__0"),
        ("010", 10),
        ("3e-4", 3e-4),
        ("1.e3", 1000.0),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("9223372036854775807", 2**63 - 1),
        ("", None),
        ("[~, null, TRUE]", [None, None, True]),
        ('{\n\t"a": [1.5, "\\ud83d\\ude00"]\n}', {"a": [1.5, "😀"]}),
        ("a: &x {b: 1}\nc: [*x, *x]", {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}),
    ],
)
def test_a_value_means_what_it_seems_to_mean(text: str, value: object) -> None:
    read = parse_yaml(text)
    assert (read, type(read)) == (value, type(value))


@settings(deadline=None, max_examples=30)
@given(_VALUES)
def test_what_is_written_is_read_as_the_same(values: Any) -> None:
    assert parse_yaml(write_yaml(values)) == values


@settings(deadline=None)
@given(st.text(st.sampled_from("ab1.:,-?[]{}\"'#&*!|>%@`\\ \n\t~<=u0x_e\u2028\x85\ufeff\0YAML")))
def test_whatever_is_no_yaml_is_refused_in_words(text: str) -> None:
    try:
        parse_yaml(text)
    except ValueError as error:
        assert str(error)


def _billion_laughs() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_billion_laughs(), "line 6, column 8: more than 100,000 values"),
        ("a: &a [*a]", "line 1, column 8: the alias *a stands for no value before it"),
        ("[" * 200_000, f"more than {MAX_DEPTH} mappings and lists within one another"),
        (
            "a: &a [1]\n" + "".join(f"b{n}: &a [*a]\n" for n in range(9_000)),
            f"more than {MAX_DEPTH} mappings and lists within one another",
        ),
        ("a: " + "9" * 200_000, "(200,000 characters) is too great an integer"),
        ("a: 9223372036854775808", "line 1, column 4: 9223372036854775808 is too great"),
        ("a: 1e999", "line 1, column 4: 1e999 is infinite or no number"),
        ("a: -.inf", "-.inf is infinite"),
        ("a: .NaN", ".NaN is infinite or no number"),
        ("a" * (MAX_BYTES + 1), "more than 262,144 characters"),
        ('a: "\\ud800"', "half of a character"),
        ('a: "\\0"', "NUL"),
        ("a: !!python/name:os.system x", "line 1, column 4: the tag"),
        ("a: 1\n---\nb: 2", "line 2, column 1: another document begins"),
        ("[a]: 1", "the key ['a'] is no name"),
        ("null: 1", "the key None is no name"),
        ("a: {b: 1,\n  b: 2}", "line 2, column 3: b was given on line 1 already"),
    ],
    ids=lambda value: value[:12],
)
def test_a_hostile_text_is_refused_at_once(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError) as refused:
        parse_yaml(text)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 300
    assert time.process_time() - started < 3


def test_a_file_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    pipe, long, binary = tmp_path / "pipe", tmp_path / "long", tmp_path / "binary"
    os.mkfifo(pipe)
    long.write_text("# " + "x" * MAX_BYTES)
    binary.write_bytes(b"\xff\xfe\0")
    cases = {pipe: "no plain file", tmp_path: "no plain file", long: "262,144", binary: "UTF-8"}
    for path, words in {**cases, tmp_path / "none": "can't be read"}.items():
        with pytest.raises(UserError, match=words) as refused:
            read_yaml(path)
        assert str(refused.value).startswith(f"{path}: ")


def test_a_sparse_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "sparse.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="262,144"):
        read_yaml(path)
