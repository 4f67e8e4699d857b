"""Layers of an encoder that Keras lacks, or has in a form that TFLite can't take.

Each is a few operations that TFLite has as builtins. None but Norm and Positions has weights.
"""

import math
from typing import Any

from components.common.keras import keras, tf

MASKED = -50.0
"""What is added to the attention scores of padding. exp(-50) is nothing to a float32 softmax; -1e4
would do as well, but int8 would spend its 256 steps on the way there."""


class Row(keras.layers.Layer):
    """One of the rows of an example's tokens: int32 [n, rows, length] to int32 [n, length]."""

    def __init__(self, row: int, **options: Any) -> None:
        super().__init__(dtype="int32", **options)
        self.row = row

    def call(self, tokens: Any) -> Any:
        return tokens[:, self.row]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype")
        return {**config, "row": self.row}


class Cut(keras.layers.Layer):
    """A text's first tokens: the rows [n, more] of an example to the same rows, [n, length].

    The last token of a text that is cut stays its last, [SEP], as a tokenizer would have it. Where
    no text has more tokens, nothing is done.
    """

    def __init__(self, length: int, **options: Any) -> None:
        super().__init__(dtype="int32", **options)
        self.length = length

    def call(self, rows: Any) -> Any:
        ids, mask, segments = rows
        if ids.shape[1] == self.length:
            return rows
        goes_on = mask[:, self.length]
        follows = tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
        separator = tf.reduce_sum(ids * (mask - follows), axis=1)
        last = goes_on * separator + (1 - goes_on) * ids[:, self.length - 1]
        cut = tf.concat([ids[:, : self.length - 1], last[:, tf.newaxis]], axis=1)
        return cut, mask[:, : self.length], segments[:, : self.length]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype")
        return {**config, "length": self.length}


class Positions(keras.layers.Layer):
    """Adds to each token what the model knows of its place: [n, length, units], the same shape."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(name="table", shape=shape[1:], initializer="uniform")
        super().build(shape)

    def call(self, tokens: Any) -> Any:
        return tokens + tf.cast(self.table, tokens.dtype)


class Norm(keras.layers.Layer):
    """Layer normalization over the last axis, in float32 whatever the policy.

    Keras' own takes a kernel of BatchNorm in training mode for some epsilons, which TFLite lacks,
    and else subtracts the scaled mean from the scaled value, which loses digits.
    """

    def __init__(self, epsilon: float, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.epsilon = epsilon

    def build(self, shape: Any) -> None:
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")
        super().build(shape)

    def call(self, values: Any) -> Any:
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + self.epsilon) * self.gamma + self.beta

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


class Gelu(keras.layers.Layer):
    """x times the normal distribution at x, exact or by tanh; TFLite has a builtin for both."""

    def __init__(self, approximate: bool, **options: Any) -> None:
        super().__init__(**options)
        self.approximate = approximate

    def call(self, values: Any) -> Any:
        return tf.nn.gelu(values, approximate=self.approximate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "approximate": self.approximate}


class MaskBias(keras.layers.Layer):
    """What is added to attention scores: int32 [n, length], 1 for tokens, to [n, 1, 1, length]."""

    def call(self, mask: Any) -> Any:
        padding = 1.0 - tf.cast(mask, self.compute_dtype)
        return MASKED * padding[:, tf.newaxis, tf.newaxis, :]


class Attention(keras.layers.Layer):
    """Each token's mixture of all values: [queries, keys, values, bias] to [n, length, units].

    Queries, keys and values are [n, length, units], the bias is [n, 1, 1, length].
    """

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: Any) -> Any:
        queries, keys, values, bias = inputs
        length, units = queries.shape[1:]
        size = units // self.heads

        def by_head(each: Any) -> Any:
            parts = tf.reshape(each, [-1, length, self.heads, size])
            return tf.transpose(parts, [0, 2, 1, 3])

        scaled = by_head(queries) * (1.0 / math.sqrt(size))
        scores = tf.matmul(scaled, by_head(keys), transpose_b=True) + bias
        shares = tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), values.dtype)
        mixed = tf.transpose(tf.matmul(shares, by_head(values)), [0, 2, 1, 3])
        return tf.reshape(mixed, [-1, length, units])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


class MeanPool(keras.layers.Layer):
    """The mean of a text's tokens: [values [n, length, units], mask [n, length]] to [n, units]."""

    def call(self, inputs: Any) -> Any:
        values, mask = inputs
        present = tf.cast(mask, values.dtype)
        total = tf.matmul(present[:, tf.newaxis, :], values)[:, 0]
        return total / tf.maximum(tf.reduce_sum(present, axis=1, keepdims=True), 1.0)


class FirstPool(keras.layers.Layer):
    """What stands at a text's first token, [CLS]: [n, length, units] to [n, units]."""

    def call(self, values: Any) -> Any:
        return values[:, 0]
