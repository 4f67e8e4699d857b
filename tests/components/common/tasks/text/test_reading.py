"""Texts by the vocabulary of a model that knows fewer tokens than the data set."""

import random
from pathlib import Path

import numpy as np

from components.common.data.zips import write_zip
from components.common.tasks.text.features import Example, encode_example
from components.common.tasks.text.inputs import parse_and_decode
from components.common.tasks.text.making import open_maker
from components.common.tasks.text.plan import TextPlan
from components.common.tasks.text.reading import decode_example, device_input
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.trimming import (
    count_tokens,
    describe_trimmed,
    trim_vocabulary,
)
from components.common.tasks.text.vocabulary import VOCABULARY_FILE, Vocabulary
from tests.builders.encoders import VOCABULARY, text_spec

LENGTH = 12
WORDS = ("the", "film", "was", "very", "7", "bad")
RARE = ("fair", "unfairly", "fairly", "unfairs", "0123456789", "films", "fairing!", "é", "\u200b")


def draw_texts(count: int, *, rare: float) -> list[str]:
    chance = random.Random(count)

    def draw() -> str:
        return chance.choice(RARE if chance.random() < rare else WORDS)

    return [" ".join(["a", *(draw() for _ in range(chance.randint(0, 15)))]) for _ in range(count)]


def test_a_text_is_read_as_a_device_reads_it_by_the_vocabulary_of_its_model(tmp_path: Path) -> None:
    """Of 1,000 texts, many are cut, and some of these within a word."""
    whole, spec = Vocabulary(VOCABULARY), text_spec(length=LENGTH)
    tokenizer = TextTokenizer(whole, LENGTH)
    common = [tokenizer.feed(text) for text in draw_texts(50, rare=0)]
    trimmed = trim_vocabulary(whole, count_tokens(common, whole), at_least=1)
    own = describe_trimmed(trimmed, spec)
    model = tmp_path / "model.tflite"
    with model.open("wb") as file:
        write_zip(file, [(VOCABULARY_FILE, trimmed.vocabulary.to_bytes())])

    texts = draw_texts(1000, rare=0.2)
    maker = open_maker(TextPlan(length=LENGTH, vocabulary=whole), with_statistics=False)
    records = [maker.make(text.encode(), id="0", label=0, slice="").record for text in texts]
    examples = [decode_example(record) for record in records]
    device = TextTokenizer(trimmed.vocabulary, LENGTH)
    expected = np.stack([device.feed(text) for text in texts])
    for see in (device_input(own), device_input(spec, model)):
        np.testing.assert_array_equal(np.stack([see(each) for each in examples]), expected)
    np.testing.assert_array_equal(parse_and_decode(records, own)[0], expected)

    before = np.stack([device_input(spec)(each) for each in examples])
    np.testing.assert_array_equal(before, np.stack([tokenizer.feed(text) for text in texts]))
    np.testing.assert_array_equal(parse_and_decode(records, spec)[0], before)
    assert sum(tokenizer.encode(text).cut for text in texts) > 100
    assert (before != expected).any(axis=(1, 2)).sum() > 100
    assert any(example.rest.strip() for example in examples)


def test_a_word_that_was_cut_is_parted_as_if_it_were_whole() -> None:
    marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    whole = Vocabulary((*marks, "abc", "##d", "##e", "ab", "##cde", *"abc", "##b", "##c"))
    counts = np.array([0 if token == "abc" else 9 for token in whole.tokens])
    trimmed = trim_vocabulary(whole, counts, at_least=1)
    own = describe_trimmed(trimmed, text_spec(length=4, tokens=whole.tokens))
    maker = open_maker(TextPlan(length=4, vocabulary=whole), with_statistics=False)
    example = decode_example(maker.make(b"abcde", id="0", label=0, slice="").record)
    assert (example.text, example.rest) == ("abcd", "e")
    ids, _, _ = device_input(own)(example)
    pieces = [trimmed.vocabulary.tokens[id_] for id_ in ids]
    assert pieces == ["[CLS]", "ab", "##cde", "[SEP]"]


def test_a_file_without_a_vocabulary_takes_the_tokens_of_the_data_set(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"no zip follows")
    example = Example("0", "bad", [2, 60, 3, 0], [1, 1, 1, 0], [0] * 4, label=0)
    assert decode_example(encode_example(example)) == example
    found = device_input(text_spec(length=4), model)(example)
    np.testing.assert_array_equal(found, [[2, 60, 3, 0], [1, 1, 1, 0], [0] * 4])
