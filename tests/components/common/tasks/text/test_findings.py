"""What validate says of texts, and what a report shows of them."""

import pytest

from components.common.documents.oddities import NO_ODDITIES
from components.common.documents.rejects import Note
from components.common.documents.text import TextSpec, TextStatistics
from components.common.tasks.text.features import Example
from components.common.tasks.text.findings import (
    find_cut_texts,
    find_equal_tokens,
    find_unknown_tokens,
)
from components.common.tasks.text.showing import show_example, tell_data

SPEC = TextSpec(length=32, vocabulary_size=30_522, vocabulary_sha256="0" * 64)


@pytest.mark.parametrize(("cut", "told"), [(0.05, 0), (0.06, 1)])
def test_many_texts_that_are_cut_are_told(cut: float, told: int) -> None:
    found = list(find_cut_texts(SPEC, TextStatistics(cut=cut)))
    assert len(found) == told
    assert not told or found[0].startswith("6.0 % of the training texts have more than 32 tokens")


@pytest.mark.parametrize(("unknown", "told"), [(0.05, 0), (0.2, 1)])
def test_a_vocabulary_of_another_language_is_told(unknown: float, told: int) -> None:
    found = list(find_unknown_tokens(TextStatistics(unknown=unknown), NO_ODDITIES))
    assert len(found) == told
    assert not told or "give a train.encoder for the texts' language" in found[0]


def test_texts_that_contradict_one_another_are_named() -> None:
    notes = [
        Note("l.csv, line 3", "same_tokens", "same tokens as l.csv, line 9, which is labelled b"),
        Note("l.csv, line 4", "same_pixels", "no text"),
    ]
    (found,) = find_equal_tokens(notes)
    assert found.startswith("1 text has the same tokens as one of another class")
    assert "l.csv, line 3 (same tokens as l.csv, line 9" in found
    assert "line 4" not in found
    assert not list(find_equal_tokens(notes[1:]))


def test_a_report_tells_of_lengths_and_shows_the_words() -> None:
    told = tell_data(SPEC, TextStatistics(lengths=(1, 3, 0), cut=0.1, unknown=0.02))
    assert told.described == "texts of 32 tokens, out of a vocabulary of 30,522"
    assert told.histogram.shares == [0.25, 0.75, 0.0]
    assert told.remark.startswith("10.0 % of the training texts are longer and are cut; 2.0 %")
    example = Example("i", "two\n lines " + "x" * 600, [1], [1], [0], 0)
    assert show_example(example, SPEC, large=False).text.startswith("two lines xxx")
    assert len(show_example(example, SPEC, large=False).text) == 80
    assert len(show_example(example, SPEC, large=True).text) == 500
