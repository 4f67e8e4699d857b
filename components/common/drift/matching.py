"""Which tensor of a `.tflite` holds the output of which Keras layer.

The converter names a tensor after the operations that became one operator,
`net/block1_relu/Relu6;net/block1_conv/Conv2D`: each a path that holds the name of a layer. It
computes what the last of these layers gives. A BatchNorm that it folded into a convolution it
doesn't name, so what follows a layer is passed over while it is a BatchNorm that no other tensor
is named after.
"""

import dataclasses
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from components.common.keras import keras, tf
from components.common.lite.tensors import ComputedTensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Layers that became one operator of the file, in their order.

    Attributes:
      names: the layers'; the operator gives what the last of them gives.
      kind: the class of the last one.
      label: the one with a kernel, or else the BatchNorm, or the last: in the names of all that the
        group became in the file.
      layers: themselves.
      inputs: the names of the layers whose outputs in the file it reads.
    """

    names: tuple[str, ...]
    kind: str
    label: str
    layers: tuple[Any, ...]
    inputs: tuple[str, ...] = ()


def match_layers(
    model: keras.Model, tensors: Sequence[ComputedTensor], *, output: int
) -> Mapping[str, ComputedTensor]:
    """Finds the tensors of layers' outputs.

    Args:
      model: a flat functional model with one input and one output.
      tensors: what the file computes, in order.
      output: the number of the file's output.

    Returns:
      Layer name -> tensor, in the order of the model; layers of which the file has no output of
      their own are missing. Another tensor of the same values may stand for one: the last is taken.
    """
    places = _places(model)
    shapes = {layer.name: _shape(layer) for layer in model.layers if not _parts(layer)}
    apart = norms_apart(model, tensors)
    found: dict[str, ComputedTensor] = {}
    for tensor in tensors:
        last = _last_named(tensor, places)
        if last is not None and not (last in apart and tensor.operator == _HALF_OF_NORM):
            found[last] = tensor
    followers = _followers(model)
    matched = {}
    for name, tensor in found.items():
        last = _behind_norms(model, name, followers, {*found, *apart})
        if shapes.get(last) == tensor.shape[1:]:
            matched[last] = tensor
    (matched[model.layers[-1].name],) = (each for each in tensors if each.index == output)
    return dict(sorted(matched.items(), key=lambda item: places[item[0]]))


def norms_apart(model: keras.Model, tensors: Sequence[ComputedTensor]) -> frozenset[str]:
    """Returns the names of the BatchNorms that the file computes on their own."""
    places = _places(model)
    halves = (_last_named(each, places) for each in tensors if each.operator == _HALF_OF_NORM)
    return frozenset(name for name in halves if name and _is_norm(model.get_layer(name)))


def preceding_tensors(
    model: keras.Model,
    tensors: Sequence[ComputedTensor],
    matched: Mapping[str, ComputedTensor],
) -> tuple[ComputedTensor, ...]:
    """Returns what the file makes of its input before the first layer, of the input's shape."""
    layers = {tensor.index for tensor in matched.values()}
    preceding = []
    for tensor in tensors:
        if tensor.index in layers:
            break
        if tensor.shape[1:] == _shape(model.layers[0]) and tensor.operator != "PAD":
            preceding.append(tensor)
    return tuple(preceding)


def folds_apart(model: keras.Model, apart: Iterable[str]) -> Mapping[str, str]:
    """Returns the BatchNorms that could have been folded into the layer before -> that layer.

    Args:
      model: likewise.
      apart: those that the file computes on their own.
    """
    names, followers = set(apart), _followers(model)
    return {
        norm.name: layer.name
        for layer in model.layers
        if has_kernel(layer)
        for norm in followers[layer.name]
        if len(followers[layer.name]) == 1 and norm.name in names
    }


def group_layers(model: keras.Model, matched: Iterable[str]) -> Mapping[str, Group]:
    """Returns for each layer of which the file has the output what became its operator."""
    known = {*matched, model.layers[0].name}
    made_by = {id(tensor): layer for layer in model.layers for tensor in outputs_of(layer)}
    groups = {}
    for name in known - {model.layers[0].name}:
        layers = [model.get_layer(name)]
        while True:
            before = [made_by[id(tensor)] for tensor in tf.nest.flatten(layers[0].input)]
            if len(before) > 1 or before[0].name in known:
                break
            layers.insert(0, before[0])
        kernels = [layer.name for layer in layers if has_kernel(layer)]
        norms = [layer.name for layer in layers if _is_norm(layer)]
        groups[name] = Group(
            names=tuple(layer.name for layer in layers),
            kind=type(layers[-1]).__name__,
            label=(kernels or norms or [name])[-1],
            layers=tuple(layers),
            inputs=tuple(layer.name for layer in before),
        )
    return groups


_HALF_OF_NORM = "MUL"


def _places(model: keras.Model) -> Mapping[str, int]:
    return {layer.name: place for place, layer in enumerate(model.layers)}


def _last_named(tensor: ComputedTensor, places: Mapping[str, int]) -> str | None:
    """Returns the last of the layers that a tensor is named after; None where there is none."""
    return max(_layers_named(tensor.name, places), key=places.__getitem__, default=None)


def _layers_named(tensor: str, layers: Mapping[str, int]) -> Iterable[str]:
    for path in tensor.split(";"):
        if name := next((part for part in path.split("/") if part in layers), None):
            yield name


def _behind_norms(
    model: keras.Model,
    name: str,
    followers: Mapping[str, Sequence[Any]],
    computed: Container[str],
) -> str:
    while len(followers[name]) == 1:
        (follower,) = followers[name]
        if not _is_norm(follower) or follower.name in computed:
            break
        name = follower.name
    return name


def _followers(model: keras.Model) -> Mapping[str, list[Any]]:
    made_by = {id(tensor): layer.name for layer in model.layers for tensor in outputs_of(layer)}
    followers: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    for layer in model.layers[1:]:
        for tensor in tf.nest.flatten(layer.input):
            followers[made_by[id(tensor)]].append(layer)
    return followers


def outputs_of(layer: Any) -> list[Any]:
    """Returns the tensors that a layer gives: most give one, and few give several."""
    found: list[Any] = tf.nest.flatten(layer.output)
    return found


def _parts(layer: Any) -> bool:
    """Whether a layer gives several tensors, so that none of the file's is its output."""
    return len(outputs_of(layer)) > 1


def _shape(layer: Any) -> tuple[int, ...]:
    return tuple(layer.output.shape[1:])


def _is_norm(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def has_kernel(layer: Any) -> bool:
    """Whether it is a convolution, of whatever kind, or a dense layer."""
    return hasattr(layer, "kernel") or hasattr(layer, "depthwise_kernel")
