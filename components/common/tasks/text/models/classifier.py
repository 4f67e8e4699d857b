"""The graph of a text classifier: a BERT-like encoder and a head, built from a description.

The graph is flat and takes one tensor, as everything that trains does: of each example the rows
`input_ids`, `input_mask` and `segment_ids`. Their layers bear these names, so that an export can
begin there, with three inputs. A model that sees fewer tokens than an example has cuts them
itself, so that a device feeds it as it feeds the others.

    tokens -> words + segments + positions -> norm (-> projection) -> blocks -> pool -> head

    block: x -> queries, keys, values -> attention -> attended -> x + it -> norm = y
           y -> widen -> gelu -> narrow -> y + it -> norm

(J. Devlin et al., BERT, 2018; the projection is of K. Clark et al., ELECTRA, 2020.) Dropout within
the encoder is left out: what is random in training is the dropout before the head alone.
"""

from typing import Any

from components.common.documents.bundle import HEAD
from components.common.documents.encoder import EncoderSpec, TextArchitecture
from components.common.documents.text import TextSpec
from components.common.keras import keras
from components.common.tasks.text.models.layers import (
    Attention,
    Cut,
    FirstPool,
    Gelu,
    MaskBias,
    MeanPool,
    Norm,
    Positions,
    Row,
)

ROWS = ("input_ids", "input_mask", "segment_ids")
"""What the model takes of an example, in the order of its tensor's rows."""


WORDS = "words"
"""The layer with the table of tokens."""


def build_classifier(
    architecture: TextArchitecture, spec: TextSpec, classes: int, *, precision: str = "float32"
) -> Any:
    """Returns a classifier with fresh weights.

    Its layers have the same names in every process, whatever was built before.

    Args:
      architecture: the encoder's sizes, and how its tokens are pooled.
      spec: how many tokens it knows, and how many a text has.
      classes: how many there are.
      precision: Keras' policy for the layers, such as `mixed_bfloat16`.

    Returns:
      A flat functional model: tokens int32 [n, 3, length] to probabilities float32 [n, classes].
    """
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    keras.backend.reset_uids()
    try:
        return _build(architecture, spec, classes)
    finally:
        keras.mixed_precision.set_global_policy(policy)


def _encode(rows: Any, spec: EncoderSpec, vocabulary_size: int) -> Any:
    """Returns the last block's output.

    Args:
      rows: input_ids, input_mask and segment_ids, each int32 [n, length].
      spec: the encoder's sizes.
      vocabulary_size: how many tokens it knows.

    Returns:
      A Keras tensor [n, length, hidden].
    """
    layers = keras.layers
    ids, mask, segments = rows
    found = layers.Embedding(vocabulary_size, spec.embedding, name=WORDS)(ids)
    if spec.segments:
        kinds = layers.Embedding(spec.segments, spec.embedding, name="segments")(segments)
        found = layers.Add(name="words_sum")([found, kinds])
    found = Positions(name="positions")(found)
    found = Norm(spec.epsilon, name="embedding_norm")(found)
    if spec.embedding != spec.hidden:
        found = layers.Dense(spec.hidden, name="projection")(found)
    bias = MaskBias(name="mask_bias")(mask)
    for number in range(spec.layers):
        found = _block(found, bias, spec, f"layer{number}")
    return found


def _block(given: Any, bias: Any, spec: EncoderSpec, name: str) -> Any:
    layers = keras.layers
    queries, keys, values = (
        layers.Dense(spec.hidden, name=f"{name}_{part}")(given)
        for part in ("query", "key", "value")
    )
    mixed = Attention(spec.heads, name=f"{name}_attention")([queries, keys, values, bias])
    attended = layers.Dense(spec.hidden, name=f"{name}_attended")(mixed)
    attended = layers.Add(name=f"{name}_attended_sum")([given, attended])
    attended = Norm(spec.epsilon, name=f"{name}_attended_norm")(attended)
    found = layers.Dense(spec.intermediate, name=f"{name}_widen")(attended)
    found = _activate(found, spec, f"{name}_{spec.activation}")
    found = layers.Dense(spec.hidden, name=f"{name}_narrow")(found)
    found = layers.Add(name=f"{name}_sum")([attended, found])
    return Norm(spec.epsilon, name=f"{name}_norm")(found)


def _activate(found: Any, spec: EncoderSpec, name: str) -> Any:
    if spec.activation == "relu":
        return keras.layers.ReLU(name=name)(found)
    return Gelu(approximate=spec.activation == "gelu_tanh", name=name)(found)


def _build(architecture: TextArchitecture, spec: TextSpec, classes: int) -> Any:
    layers = keras.layers
    tokens = layers.Input((len(ROWS), spec.length), name="tokens", dtype="int32")
    rows = [Row(number, name=name)(tokens) for number, name in enumerate(ROWS)]
    rows = Cut(architecture.length or spec.length, name="cut")(rows)
    found = _encode(rows, architecture.encoder, spec.vocabulary_size)
    if architecture.pooling == "mean":
        found = MeanPool(name="pool")([found, rows[1]])
    else:
        found = FirstPool(name="pool")(found)
    found = layers.Dropout(architecture.dropout, seed=architecture.dropout_seed, name="dropout")(
        found
    )
    logits = layers.Dense(classes, name=HEAD, dtype="float32")(found)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(tokens, probabilities, name="text_classifier")
