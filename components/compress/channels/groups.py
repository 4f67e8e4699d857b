"""Groups of channels that can be cut: found in the graph itself, whatever backbone it is.

A convolution, the producer, makes channels. Layers that keep channels apart carry them on:
BatchNorm, activations, depthwise convolutions, pooling. At last a plain convolution or a dense
layer, the consumer, mixes them. Where nothing else reads them on the way, they can be fewer, and no
other layer's output changes its shape:

    expand -> norm -> relu -> depthwise -> norm -> relu -> project
    producer  followers ...                                consumer

So are the expanded channels of an inverted residual, those inside a bottleneck, of a plain chain
and of the last convolution before the head. Channels that come to a sum, a concatenation or the
model's output belong to no group.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.common.keras import keras
from components.common.tasks.image.models.graphs import calls_of, inputs_of
from components.common.tasks.image.models.narrowing import is_plain_convolution


@dataclasses.dataclass(frozen=True)
class Group:
    """Layers, by name, that share channels.

    Attributes:
      producer: the convolution whose filters the channels are.
      followers: what carries them on, in order.
      consumer: the convolution or dense layer that mixes them.
      channels: how many there are.
      offset: the layer that can add a constant to each output of the consumer: itself, where it
        has a bias, or the BatchNorm that alone follows; None where there is neither.
    """

    producer: str
    followers: tuple[str, ...]
    consumer: str
    channels: int
    offset: str | None


def find_groups(model: Any) -> tuple[Group, ...]:
    """Returns the groups of a flat functional model, from the input up."""
    layers = {layer.name: layer for layer in model.layers}
    after = _readers(model)
    found = (_find_group(layer, layers, after) for layer in model.layers)
    return tuple(group for group in found if group is not None)


def _readers(model: Any) -> Mapping[str, Sequence[str]]:
    """Returns what reads each layer's output; nothing, where that is the model's output too.

    What a layer reads that is called more than once is left out: its weights are for all calls.
    """
    calls = calls_of(model)
    readers: dict[str, list[str]] = {}
    for name, own in calls.items():
        for tensor in (tensor for call in own for tensor in inputs_of(call)):
            readers.setdefault(tensor.node.layer.name, []).append(name)
    outputs = {tensor.node.layer.name for tensor in model.outputs}
    return {
        name: names
        for name, names in readers.items()
        if name not in outputs and all(len(calls[reader]) == 1 for reader in names)
    }


def _find_group(
    producer: Any, layers: Mapping[str, Any], after: Mapping[str, Sequence[str]]
) -> Group | None:
    if not is_plain_convolution(producer):
        return None
    followers: list[str] = []
    for layer in (layers[name] for name in _only_readers(producer.name, after)):
        if is_plain_convolution(layer) or type(layer) is keras.layers.Dense:
            return Group(
                producer=producer.name,
                followers=tuple(followers),
                consumer=layer.name,
                channels=producer.filters,
                offset=_find_offset(layer, layers, after),
            )
        if not _keeps_channels_apart(layer):
            return None
        followers.append(layer.name)
    return None


def _only_readers(name: str, after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yields the layer that alone reads another's output, and so on from there."""
    while len(after.get(name, ())) == 1:
        (name,) = after[name]
        yield name


def _keeps_channels_apart(layer: Any) -> bool:
    kinds = keras.layers
    if isinstance(layer, kinds.DepthwiseConv2D):
        return bool(layer.depth_multiplier == 1)
    if isinstance(layer, kinds.BatchNormalization):
        return list(layer.axis) == [len(layer.input_shape) - 1]
    if isinstance(layer, kinds.Activation):
        return layer.activation is not keras.activations.softmax
    return isinstance(
        layer,
        kinds.ReLU
        | kinds.Dropout
        | kinds.ZeroPadding2D
        | kinds.AveragePooling2D
        | kinds.MaxPooling2D
        | kinds.GlobalAveragePooling2D
        | kinds.GlobalMaxPooling2D,
    )


def _find_offset(
    consumer: Any, layers: Mapping[str, Any], after: Mapping[str, Sequence[str]]
) -> str | None:
    if consumer.use_bias:
        return str(consumer.name)
    following = next(_only_readers(consumer.name, after), None)
    linear = consumer.activation is keras.activations.linear
    if following is not None and linear:
        layer = layers[following]
        if isinstance(layer, keras.layers.BatchNormalization) and _keeps_channels_apart(layer):
            return following
    return None
