"""Texts are told apart by their tokens, and by whether they were cut."""

import pytest

from components.common.documents.text import TextSpec
from components.common.tasks.text.features import Example
from components.common.tasks.text.sizes import name_sizes, size_of


def make_text(tokens: int, *, length: int, rest: str = "") -> Example:
    mask = [1] * tokens + [0] * (length - tokens)
    return Example("a", "text", [1] * length, mask, [0] * length, label=0, rest=rest)


def make_spec(length: int) -> TextSpec:
    return TextSpec(length=length, vocabulary_size=9, vocabulary_sha256="0" * 64)


@pytest.mark.parametrize(
    ("tokens", "rest", "name"),
    [
        (2, "", "1 to 16 tokens"),
        (16, "", "1 to 16 tokens"),
        (17, "", "17 to 32 tokens"),
        (40, " ", "33 to 40 tokens"),
        (40, " and more", "over 40 tokens, cut"),
    ],
)
def test_a_text_is_of_the_size_of_its_tokens(tokens: int, rest: str, name: str) -> None:
    spec = make_spec(40)
    assert name_sizes(spec)[size_of(make_text(tokens, length=40, rest=rest), spec)] == name


def test_long_texts_are_told_apart_in_few_sizes() -> None:
    names = name_sizes(make_spec(512))
    assert len(names) == 9 and names[0] == "1 to 64 tokens" and names[-1] == "over 512 tokens, cut"
