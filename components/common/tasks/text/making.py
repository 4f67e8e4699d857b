"""A shard's texts, made into tokens and counted; see `tasks/making.py`."""

import hashlib
import struct
from collections import Counter

from components.common.tasks.made import Counts, Made, Unusable
from components.common.tasks.text.features import Example, encode_example
from components.common.tasks.text.plan import TextPlan
from components.common.tasks.text.tokenizer import MARKS, TextTokenizer

BIN = 16
"""Tokens by which the lengths of texts are told apart."""

_KEPT = 10_000
"""Characters of a text that are kept: a single word may have a million."""


class _TextMaker:
    """Makes the examples of one shard."""

    def __init__(self, plan: TextPlan) -> None:
        self._length = plan.length
        self._tokenizer = TextTokenizer(plan.vocabulary, plan.length)
        self._lengths = Counter[int]()
        self._texts = self._cut = self._tokens = self._unknown = 0

    def make(self, data: bytes, *, id: str, label: int, slice: str) -> Made:
        text = decode_text(data)
        tokens = self._tokenizer.encode(text)
        padding = self._length - tokens.count
        end = min(tokens.end, _KEPT)
        self._lengths[tokens.count // BIN] += 1
        self._texts += 1
        self._cut += tokens.cut
        self._tokens += tokens.count - MARKS
        self._unknown += tokens.unknown
        example = Example(
            id=id,
            text=text[:end],
            input_ids=tokens.ids,
            input_mask=[1] * tokens.count + [0] * padding,
            segment_ids=[0] * self._length,
            label=label,
            slice=slice,
            rest=text[end : min(tokens.head, _KEPT)],
        )
        seen = struct.pack(f"<{tokens.count}i", *tokens.ids[: tokens.count])
        return Made(record=encode_example(example), digest=hashlib.sha256(seen).hexdigest())

    def counts(self) -> Counts:
        return {
            "lengths": [self._lengths[bin_] for bin_ in range(self._length // BIN + 1)],
            "texts": [self._texts],
            "cut": [self._cut],
            "tokens": [self._tokens],
            "unknown": [self._unknown],
        }


def open_maker(plan: TextPlan, *, with_statistics: bool) -> _TextMaker:
    """Returns what makes texts into the examples of a shard; counting costs nothing."""
    return _TextMaker(plan)


def decode_text(data: bytes) -> str:
    """Returns the text of a file.

    Raises:
      Unusable: it is none, or has nothing but white space.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        words = f"is not UTF-8 text: {error.reason} at byte {error.start}"
        raise Unusable("unreadable", words) from error
    if not text.strip():
        raise Unusable("empty", "has nothing but white space")
    return text
