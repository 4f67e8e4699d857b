"""A shard's texts, made into tokens and counted; see `tasks/making.py`."""

import hashlib
import struct

from components.common.tasks.made import Made, Unusable
from components.common.tasks.text.features import Example, decode_example, encode_example
from components.common.tasks.text.plan import TextPlan
from components.common.tasks.text.scripts import find_script
from components.common.tasks.text.sketches import sketch_text
from components.common.tasks.text.tokenizer import MARKS, TextTokenizer

__all__ = ["BIN", "decode_example", "decode_text", "encode_example", "open_maker"]

BIN = 16
"""Tokens by which the lengths of texts are told apart."""

_KEPT = 10_000
"""Characters of a text that are kept: a single word may have a million."""


class _TextMaker:
    """Makes examples of texts."""

    def __init__(self, plan: TextPlan) -> None:
        self._length = plan.length
        self._tokenizer = TextTokenizer(plan.vocabulary, plan.length)
        self._bins = plan.length // BIN + 1
        self.widths = {"texts": 1, "cut": 1, "tokens": 1, "unknown": 1, "lengths": self._bins}

    def make(self, data: bytes, *, id: str, label: int, slice: str) -> Made:
        text = decode_text(data)
        tokens = self._tokenizer.encode(text)
        padding = self._length - tokens.count
        end = min(tokens.end, _KEPT)
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
        lengths = [0] * (tokens.count // BIN) + [1]
        return Made(
            record=encode_example(example),
            digest=hashlib.sha256(seen).hexdigest(),
            counts=[1, int(tokens.cut), tokens.count - MARKS, tokens.unknown, *lengths],
            sketch=sketch_text(
                tokens.ids[1 : tokens.count - 1],
                characters=len(text),
                unknown=tokens.unknown,
                script=find_script(text),
            ),
        )


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
