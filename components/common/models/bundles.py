"""A model bundle's weights, and the model that they make again.

A bundle holds no code and no description of layers. Its document names an architecture, from
which our own code builds the graph; the weights are arrays that go into that graph, each by the
names of its layer and of the weight. The file is byte for byte the same for the same weights.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.common.data.arrays import read_expected_arrays, write_arrays
from components.common.documents.bundle import ModelBundle
from components.common.errors import DamagedError
from components.common.tasks.graphs import build_classifier
from components.common.training.strategy import read_variables, write_variables

WEIGHTS_FILE = "weights.npz"


def save_weights(model: Any, directory: Path) -> None:
    """Writes `weights.npz`."""
    names, variables = zip(*_named_weights(model), strict=True)
    write_arrays(directory / WEIGHTS_FILE, dict(zip(names, read_variables(variables), strict=True)))


def load_bundle_model(directory: Path) -> Any:
    """Builds the graph that a bundle's document names, and puts the bundle's weights into it.

    Raises:
      DamagedError: the document names no such graph, or the weights are not that graph's.
    """
    bundle = ModelBundle.read(directory)
    try:
        model = build_classifier(bundle.architecture, bundle.input, len(bundle.class_names))
    except ValueError as error:
        raise DamagedError(
            f"{directory / ModelBundle.file_name}: describes a graph that there is not "
            f"({str(error).partition(chr(10))[0]}); run again"
        ) from error
    names, variables = zip(*_named_weights(model), strict=True)
    shapes = {name: tuple(variable.shape) for name, variable in zip(names, variables, strict=True)}
    arrays = read_expected_arrays(directory / WEIGHTS_FILE, shapes)
    write_variables(variables, [arrays[name] for name in names])
    for name in bundle.frozen_layers:
        model.get_layer(name).trainable = False
    return model


def frozen_layers(model: Any) -> tuple[str, ...]:
    """Returns the names of the layers that training left as they were."""
    return tuple(layer.name for layer in model.layers if layer.weights and not layer.trainable)


def _named_weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Yields the weights, named as `block1_conv/kernel`, in the order of the layers."""
    for layer in model.layers:
        for weight in layer.weights:
            # A name may begin with the scopes in which the weight was made.
            yield f"{layer.name}/{weight.name.rpartition('/')[2].partition(':')[0]}", weight
