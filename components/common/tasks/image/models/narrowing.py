"""The same graph with fewer filters: what cutting channels leaves.

A convolution's filters are its output channels. With fewer of them, everything that follows has
another shape, up to the next plain convolution or dense layer, whose filters stay as many. So it is
enough to say of some convolutions how many filters they have left: the rest of the graph follows.
"""

from collections.abc import Mapping
from typing import Any

from components.common.keras import keras


class NarrowingError(ValueError):
    """Filters that a graph can't have; the message says of which layer."""


def narrow_model(model: Any, filters: Mapping[str, int]) -> Any:
    """Returns a model's graph with fresh weights and with these numbers of filters.

    Args:
      model: flat and functional; returned as it is where nothing is to be cut.
      filters: convolution -> how many filters it has.

    Raises:
      NarrowingError: a name is that of no plain convolution, a number is none from 1 to the
        layer's own, or two branches that are added would have different channels.
    """
    if not filters:
        return model
    _check_filters(model, filters)

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in filters:
            config["filters"] = filters[layer.name]
        return type(layer).from_config(config)

    try:
        narrowed = keras.models.clone_model(model, clone_function=clone)
    except ValueError as error:
        raise NarrowingError(f"{_first_line(error)}: they fit no graph of {model.name}") from error
    _check_sums(narrowed)
    return narrowed


def is_plain_convolution(layer: Any) -> bool:
    """Tells whether each of a layer's filters sees all of its input channels."""
    return type(layer) is keras.layers.Conv2D and layer.groups == 1


def _check_filters(model: Any, filters: Mapping[str, int]) -> None:
    convolutions = {layer.name: layer for layer in model.layers if is_plain_convolution(layer)}
    for name, count in filters.items():
        if name not in convolutions:
            raise NarrowingError(f"{name!r} is no convolution of {model.name}")
        most = convolutions[name].filters
        if not 1 <= count <= most:
            raise NarrowingError(f"{name} can have 1 to {most} filters, not {count}")


def _check_sums(model: Any) -> None:
    """Refuses what Keras would broadcast: one channel that is added to each of several."""
    for layer in model.layers:
        if (
            isinstance(layer, keras.layers.Add)
            and len({shape[-1] for shape in layer.input_shape}) > 1
        ):
            raise NarrowingError(f"{layer.name} would add branches of different channels")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
