"""Texts as token ids, exactly as MediaPipe's text classifier on a device makes them.

The device's way differs from that of the BERT tokenizers that encoders are trained with, and what a
model is trained on, chosen by and judged on has to be what it will be given:

- only ASCII letters become lower-case, and no accent is taken off;
- a text ends at its first NUL;
- only ASCII white space parts words, and goes; punctuation and Chinese characters are words each.
  Anything else, no-break spaces, zero-width characters and emoji too, is part of its word;
- a word is taken apart greedily, and is `[UNK]` as a whole where a piece is not in the vocabulary,
  or where it has over 100 bytes of UTF-8.

To count bytes as the device does, the model of `tokenizers` sees each byte as a character, the
vocabulary's likewise. A text whose bytes are a token's from a character's first byte on has whole
characters there, so that nothing else changes.
"""

import dataclasses
import itertools
import re
import string
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from components.common.tasks.text.vocabulary import (
    CLASSIFY,
    PAD_ID,
    SEPARATE,
    UNKNOWN,
    Vocabulary,
)

MARKS = 2
"""How many tokens of an example stand around the text's own: [CLS] and [SEP]."""

_MOST_BYTES_OF_A_WORD = 100
_CHINESE = "".join(
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
    )
)  # fmt: skip
_SPACE = r"\t\n\f\r "
_YOUNG_MARKS = "\U00010ed0"
"""Punctuation of a later Unicode than that of the regular expressions of `tokenizers`."""
_ASCII_MARKS = r"!-/:-@\[-`{-~"


def make_tokenizer(vocabulary: Vocabulary, length: int) -> Tokenizer:
    """Returns the tokenizer of a device, for texts of any origin.

    Args:
      vocabulary: the encoder's.
      length: tokens of an example, to which texts are cut and padded; at least 2.
    """
    in_bytes = _characters_of_bytes()
    ids = {
        "".join(in_bytes[byte] for byte in token.encode()): id_
        for token, id_ in vocabulary.ids.items()
    }
    tokenizer = Tokenizer(
        models.WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=_MOST_BYTES_OF_A_WORD)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"\x00(?m:.*)"), ""),
            *(normalizers.Replace(letter, letter.lower()) for letter in string.ascii_uppercase),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[{_SPACE}]+"), "removed"),
            pre_tokenizers.Split(
                Regex(rf"[{_ASCII_MARKS}\p{{P}}{_YOUNG_MARKS}{_CHINESE}]"), "isolated"
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = TemplateProcessing(
        single=f"{CLASSIFY} $A {SEPARATE}",
        special_tokens=[(mark, vocabulary.ids[mark]) for mark in (CLASSIFY, SEPARATE)],
    )
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=PAD_ID, pad_token=vocabulary.tokens[PAD_ID])
    return tokenizer


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """What became of a text."""

    ids: list[int]
    """Padded to the length of an example."""
    count: int
    """How many are tokens, [CLS] and [SEP] among them; the rest is padding."""
    cut: bool
    """Whether the text had more."""
    unknown: int
    """How many are [UNK]."""
    end: int
    """Where in the text the last token ends, in characters."""
    head: int
    """Where that ends of which another vocabulary may make tokens of an example, in characters."""


class TextTokenizer:
    """Makes texts into tokens as `make_tokenizer`'s does, and tells what became of them.

    Args:
      vocabulary: the encoder's.
      length: tokens of an example.
    """

    def __init__(self, vocabulary: Vocabulary, length: int) -> None:
        self._tokenizer = make_tokenizer(vocabulary, length)
        self._length = length
        self._unknown = vocabulary.ids[UNKNOWN]

    def encode(self, text: str) -> Tokens:
        """Returns a text's tokens."""
        head = _take_head(text, self._length)
        encoding = self._tokenizer.encode(head)
        count = sum(encoding.attention_mask)
        return Tokens(
            ids=encoding.ids,
            count=count,
            cut=bool(encoding.overflowing),
            unknown=encoding.ids.count(self._unknown),
            end=encoding.offsets[count - MARKS][1],
            head=len(head),
        )

    def feed(self, text: str) -> npt.NDArray[np.int32]:
        """Returns what a device feeds a model of a text: a row for each tensor, [3, length]."""
        encoding = self._tokenizer.encode(_take_head(text, self._length))
        return np.array([encoding.ids, encoding.attention_mask, encoding.type_ids], np.int32)


_WORD = re.compile(f"[{_ASCII_MARKS}{_CHINESE}]|[^{_SPACE}{_ASCII_MARKS}{_CHINESE}]+")


def _take_head(text: str, length: int) -> str:
    """Returns as much of a text as may come into an example of so many tokens.

    What is found here parts at fewer places than the tokenizer does, so that each has a token at
    least. A megabyte costs seconds of the tokenizer's time otherwise.
    """
    last = next(itertools.islice(_WORD.finditer(text), length - 1, None), None)
    return text if last is None else text[: last.end()]


def _characters_of_bytes() -> Mapping[int, str]:
    """Returns how `ByteLevel` shows each byte: those that can be seen as they are."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(0x100) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {
        byte: chr(0x100 + place) for place, byte in enumerate(unseen)
    }
