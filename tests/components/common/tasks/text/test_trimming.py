import numpy as np
import pytest

from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.trimming import (
    Tokens,
    count_tokens,
    describe_trimmed,
    find_rows,
    shorten,
    trim_vocabulary,
)
from components.common.tasks.text.vocabulary import Vocabulary
from tests.builders.encoders import text_spec

VOCABULARY = Vocabulary(
    (
        "[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
        *"abcdefgn!", *(f"##{letter}" for letter in "abcdefg"), "é",
        "bad", "##ge", "faded", "be", "##ad", "##ed", "cab",
    )
)  # fmt: skip


def example(*tokens: str, length: int = 10) -> Tokens:
    ids = [VOCABULARY.ids[token] for token in ("[CLS]", *tokens, "[SEP]")]
    found = np.zeros((1, 3, length), np.int32)
    found[0, :2, : len(ids)] = ids, [1] * len(ids)
    return found


def trim(*texts: Tokens, at_least: int = 1) -> Vocabulary:
    counts = count_tokens(np.concatenate(texts), VOCABULARY)
    return trim_vocabulary(VOCABULARY, counts, at_least=at_least).vocabulary


def spelled(text: str, after: Vocabulary, length: int = 10) -> list[str]:
    ids, mask, segments = TextTokenizer(after, length).feed(text)
    assert (ids[mask == 0] == 0).all()
    assert not segments.any()
    return [after.tokens[id_] for id_ in ids[mask == 1]][1:-1]


def test_padding_is_not_counted() -> None:
    counts = count_tokens(example("bad", "bad", "!"), VOCABULARY)
    assert counts[0] == 0
    assert counts[VOCABULARY.ids["bad"]] == 2


@pytest.mark.parametrize(("at_least", "is_kept"), [(1, True), (2, True), (3, False)])
def test_frequent_tokens_are_kept(at_least: int, is_kept: bool) -> None:
    trimmed = trim(example("bad", "bad"), at_least=at_least)
    assert ("bad" in trimmed.ids) == is_kept


def test_marks_and_single_characters_are_kept_whatever_their_number() -> None:
    trimmed = trim(example(), at_least=1000)
    single = [*"abcdefgn!", *(f"##{letter}" for letter in "abcdefg"), "é"]
    assert trimmed.tokens == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *single)


def test_kept_rows_are_those_of_the_tokens() -> None:
    counts = count_tokens(example("cab", "be"), VOCABULARY)
    trimmed = trim_vocabulary(VOCABULARY, counts, at_least=1)
    assert tuple(VOCABULARY.tokens[row] for row in trimmed.kept) == trimmed.vocabulary.tokens
    assert trimmed.kept[0] == 0


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("bad!", ["bad", "!"]),
        ("faded", ["f", "##a", "##d", "##ed"]),
        ("cab bad", ["c", "##a", "##b", "bad"]),
        ("bead bad", ["be", "##a", "##d", "bad"]),
        ("xx cab", ["[UNK]", "c", "##a", "##b"]),
        ("é bad", ["é", "bad"]),
        ("", []),
    ],
)
def test_words_that_lost_a_token_are_spelled_by_shorter_ones(text: str, pieces: list[str]) -> None:
    assert spelled(text, trim(example("bad", "be", "##ed"))) == pieces


def test_a_word_that_can_not_be_spelled_is_unknown() -> None:
    after = trim(example("bad"))
    other = Vocabulary(tuple(token for token in after.tokens if token != "##d"))
    assert spelled("faded bad", other) == ["[UNK]", "bad"]


def test_what_grows_beyond_the_length_is_cut_before_its_end() -> None:
    after = trim(example())
    assert spelled("cab cab cab", after, length=6) == ["c", "##a", "##b", "c"]


def test_tokens_are_known_by_the_ids_of_the_data_set_however_often_they_are_trimmed() -> None:
    whole = text_spec(length=10, tokens=VOCABULARY.tokens)
    counts = count_tokens(example("bad", "bad", "cab"), VOCABULARY)
    once = trim_vocabulary(VOCABULARY, counts, at_least=1)
    first = describe_trimmed(once, whole)
    twice = trim_vocabulary(once.vocabulary, counts[once.kept], at_least=2)
    second = describe_trimmed(twice, first)
    for spec, trimmed in ((first, once), (second, twice)):
        assert spec.kept is not None
        assert spec.kept.tokens == trimmed.vocabulary.tokens
        assert [VOCABULARY.tokens[id_] for id_ in spec.kept.ids] == list(spec.kept.tokens)
    assert first.kept is not None and second.kept is not None
    assert set(first.kept.tokens) - set(second.kept.tokens) == {"cab"}
    for own, other in ((whole, first), (whole, second), (first, second)):
        tokens = VOCABULARY.tokens if own.kept is None else own.kept.tokens
        rows = find_rows(own, other)
        assert rows is not None and other.kept is not None
        assert tuple(tokens[row] for row in rows) == other.kept.tokens
    assert find_rows(second, first) is None, "it lacks a token"
    assert find_rows(second, whole) is None


def test_long_texts_are_cut_and_short_ones_lose_padding() -> None:
    tokens = np.concatenate([example("bad", "be", "cab", "!"), example("bad")])
    short = shorten(tokens, 4)
    names = [[VOCABULARY.tokens[id_] for id_ in ids] for ids in short[:, 0]]
    assert names == [["[CLS]", "bad", "be", "[SEP]"], ["[CLS]", "bad", "[SEP]", "[PAD]"]]
    np.testing.assert_array_equal(short[:, 1], [[1, 1, 1, 1], [1, 1, 1, 0]])


def test_a_text_that_just_fits_is_not_cut() -> None:
    tokens = example("bad", "be")
    np.testing.assert_array_equal(shorten(tokens, 4), tokens[:, :, :4])
