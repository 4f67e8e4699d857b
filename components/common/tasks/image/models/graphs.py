"""Flat functional graphs, looked at call by call, and their layers on inputs of another kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.common.documents.image import InputSpec
from components.common.keras import keras, tf


def calls_of(model: Any) -> Mapping[str, Sequence[Any]]:
    """Returns the calls that a graph has of each layer; other models' calls are not its own."""
    calls: dict[str, list[Any]] = {}
    seen: set[int] = set()
    waiting = list(model.outputs)
    while waiting:
        node = waiting.pop().node
        if id(node) not in seen:
            seen.add(id(node))
            calls.setdefault(node.layer.name, []).append(node)
            waiting += inputs_of(node)
    return calls


def inputs_of(call: Any) -> Sequence[Any]:
    """Returns the tensors that a layer is called on."""
    return () if call.is_input else tuple(tf.nest.flatten(call.input_tensors))


def adapt_input(model: Any, own: InputSpec, other: InputSpec) -> Any:
    """Returns a model for pictures that are prepared in another way than its own.

    Args:
      model: flat and functional, each layer called once; its layers are taken over.
      own: how pictures are prepared for it.
      other: how they are prepared instead, at the same size.

    Returns:
      The model itself where both are the same, else a flat model with the same outputs.
    """
    if own == other:
        return model
    scale = [mine / theirs for mine, theirs in zip(own.scale, other.scale, strict=True)]
    offset = [
        (theirs - mine) * factor
        for mine, theirs, factor in zip(own.offset, other.offset, own.scale, strict=True)
    ]
    pixels = keras.layers.Input(other.shape, name="pixels")
    made = {model.input.node.layer.name: keras.layers.Rescaling(scale, offset)(pixels)}
    calls = calls_of(model)
    for layer in model.layers:  # Each after those that it reads.
        if layer.name not in made:
            (call,) = calls[layer.name]
            inputs = [made[tensor.node.layer.name] for tensor in inputs_of(call)]
            made[layer.name] = layer(inputs[0] if len(inputs) == 1 else inputs)
    return keras.Model(pixels, made[model.output.node.layer.name], name=model.name)
