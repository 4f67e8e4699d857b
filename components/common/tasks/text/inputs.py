"""Texts as a model's inputs: their tokens, as they lie in the examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.text import TextSpec
from components.common.keras import tf
from components.common.tasks.text.models.classifier import ROWS
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import Vocabulary


def parse_and_decode(records: Any, spec: TextSpec) -> tuple[Any, Any, Any]:
    """Parses a batch of serialized examples.

    Args:
      records: string [b].
      spec: how texts lie in them.

    Returns:
      Tokens int32 [b, 3, length], labels int64 [b], ids string [b].
    """
    features = {name: tf.io.FixedLenFeature([spec.length], tf.int64) for name in ROWS}
    features["label"] = tf.io.FixedLenFeature([], tf.int64)
    for name in ("id", "text", "rest"):
        features[name] = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_example(records, features)
    if spec.kept is None:
        tokens = tf.cast(tf.stack([parsed[name] for name in ROWS], axis=1), tf.int32)
    else:
        tokens = _tokenize(parsed["text"] + parsed["rest"], spec)
    return tokens, parsed["label"], parsed["id"]


def _tokenize(texts: Any, spec: TextSpec) -> Any:
    """Returns the tokens of a model's own vocabulary: int32 [b, 3, length]."""
    assert spec.kept is not None
    tokenizer = TextTokenizer(Vocabulary(spec.kept.tokens), spec.length)

    def feed(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.int32]:
        return np.stack([tokenizer.feed(text.decode()) for text in texts])

    tokens = tf.numpy_function(feed, [texts], tf.int32, stateful=False)
    return tf.ensure_shape(tokens, [None, len(ROWS), spec.length])


def room_for(count: int, spec: TextSpec) -> npt.NDArray[np.int32]:
    """Returns an array for so many texts: int32 [count, 3, length]."""
    return np.empty((count, len(ROWS), spec.length), np.int32)


def prepare_inputs(spec: TextSpec, augment: Any = None) -> Callable[..., Any]:
    """Returns what makes texts into the model's input: nothing is done to them."""
    return lambda tokens, seed, places=None, size=None: tokens
