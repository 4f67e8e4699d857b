"""Token ids, by hand, and against what MediaPipe makes of the same texts."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import Tokenizer

from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.tasks.text.metadata import INPUTS, describe_text_input
from components.common.tasks.text.tokenizer import TextTokenizer, make_tokenizer
from components.common.tasks.text.vocabulary import Vocabulary
from tests.builders.texts import odd_texts
from tests.mediapipe import classify_texts, needs_mediapipe

LENGTH = 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello , world !"),
        ("unaffable", "una ##ffa ##ble"),
        ("", ""),
        ("café", "[UNK]"),
        ("it's a 中文 test", "it ' s a 中 文 test"),
        ("zero\u200bwidth no\u00a0break", "[UNK] [UNK]"),
        ("end\0here", "end"),
        ("[CLS] [SEP]", "[ cl ##s ] [ sep ]"),
        ("tab\tform\fline\r\n", "tab form line"),
        ("x" * 100 + " " + "x" * 101, None),
        ("я" * 50 + " " + "я" * 51, None),
    ],
)
def test_a_text_is_parted_as_on_a_device(
    vocabulary: Vocabulary, text: str, expected: str | None
) -> None:
    found = TextTokenizer(vocabulary, LENGTH).encode(text)
    tokens = [vocabulary.tokens[id_] for id_ in found.ids[: found.count]]
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    if expected is None:  # A hundred bytes are a word's most, whatever characters they make.
        assert tokens[-2] == "[UNK]"
        assert "[UNK]" not in tokens[1:-2]
    else:
        assert tokens[1:-1] == expected.split()
    assert found.unknown == tokens.count("[UNK]")


def test_a_text_is_cut_and_padded_to_one_length(vocabulary: Vocabulary) -> None:
    tokenizer = TextTokenizer(vocabulary, 6)
    for words, count, cut in ((2, 4, False), (4, 6, False), (5, 6, True), (500, 6, True)):
        found = tokenizer.encode("word " * words)
        assert (len(found.ids), found.count, found.cut) == (6, count, cut)
        assert found.ids[count - 1] == vocabulary.ids["[SEP]"]
        assert found.ids[count:] == [0] * (6 - count)


def test_what_is_cut_off_unread_changes_no_token(vocabulary: Vocabulary) -> None:
    whole = make_tokenizer(vocabulary, LENGTH)
    encoder = TextTokenizer(vocabulary, LENGTH)
    for text in [text for text in odd_texts(700) if len(text) < 5_000]:
        assert encoder.encode(text).ids == whole.encode(text).ids, ascii(text)


@pytest.mark.parametrize("piece", ["Ab c, ", "中", "?!"])
def test_a_megabyte_costs_no_more_than_its_head(vocabulary: Vocabulary, piece: str) -> None:
    tokenizer = TextTokenizer(vocabulary, LENGTH)
    text = piece * ((1 << 20) // len(piece))
    started = time.process_time()
    assert tokenizer.encode(text).cut
    assert time.process_time() - started < 0.1


def test_a_file_of_the_tokenizer_gives_the_same_ids(vocabulary: Vocabulary, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer = make_tokenizer(vocabulary, LENGTH)
    tokenizer.save(str(path))
    read = Tokenizer.from_file(str(path))
    for text in odd_texts(200)[4:]:
        assert read.encode(text).ids == tokenizer.encode(text).ids


@pytest.mark.slow
@needs_mediapipe
def test_mediapipe_makes_the_same_ids_of_every_text(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Through a model whose scores are its inputs, which floats hold exactly."""
    (model := tmp_path / "model.tflite").write_bytes(
        attach_metadata(
            mirror(LENGTH),
            ModelCard(
                name="mirror", description="Answers what it is asked.",
                class_names=[f"{name} {place}" for name in INPUTS for place in range(LENGTH)],
                inputs=describe_text_input(vocabulary), lineage=None,
            ),
        )
    )  # fmt: skip
    texts = odd_texts(1_500)
    found = np.array(classify_texts(model, texts, tmp_path)["scores"])
    tokenizer = TextTokenizer(vocabulary, LENGTH)
    for text, scores in zip(texts, found, strict=True):
        tokens = tokenizer.encode(text)
        mask = (np.arange(LENGTH) < tokens.count).astype(int)
        expected = np.concatenate([tokens.ids, mask, np.zeros(LENGTH)])
        np.testing.assert_array_equal(scores, expected, err_msg=ascii(text))


def mirror(length: int) -> bytes:
    """Returns a `.tflite` file that answers its three inputs, one after the other."""

    def answer(**inputs: Any) -> dict[str, Any]:
        return {
            "probabilities": tf.concat([tf.cast(inputs[name], tf.float32) for name in INPUTS], 1)
        }

    module = tf.Module()
    taken = {name: tf.TensorSpec((1, length), tf.int32, name=name) for name in INPUTS}
    module.answer = tf.function(answer).get_concrete_function(**taken)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.answer], module)
    data: bytes = converter.convert()
    return data
