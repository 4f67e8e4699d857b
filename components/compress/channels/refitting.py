"""The consumer makes up for the channels that are gone, by least squares.

Its output with all channels is the aim, on training pictures; what comes to it from the narrower
model, whose earlier layers were refitted before it, is what it has (Y. He, X. Zhang, J. Sun,
Channel Pruning for Accelerating Very Deep Neural Networks, 2017). No gradients, no labels: seconds.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.keras import keras, tf
from components.common.tasks.image.models.graphs import calls_of, inputs_of
from components.common.training.strategy import read_variables, write_variables
from components.compress.channels.groups import Group
from components.compress.channels.surgery import Kept

Floats = npt.NDArray[np.float32]

POSITIONS = 64
"""Of a picture's feature map that are looked at; neighbours tell much the same."""

_AT_ONCE = 16  # Pictures, whose feature maps are held together.

_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Relative to the mean square of an input; the last one changes next to nothing."""


def read_inputs(model: Any, consumers: Sequence[str], pictures: Floats) -> Iterator[list[Floats]]:
    """Yields what comes to layers, batch after batch of pictures.

    Args:
      model: flat and functional.
      consumers: names of convolutions and dense layers.
      pictures: prepared, float32 [n, h, w, c].

    Yields:
      For each layer its columns: float32 [pictures, positions, taps * channels].
    """
    layers, calls = [model.get_layer(name) for name in consumers], calls_of(model)
    inputs = keras.Model(model.input, [inputs_of(calls[name][0]) for name in consumers])
    for start in range(0, len(pictures), _AT_ONCE):
        found = tf.nest.flatten(inputs(pictures[start : start + _AT_ONCE], training=False))
        yield [_columns(layer, each) for layer, each in zip(layers, found, strict=True)]


def columns_kernel(layer: Any) -> Floats:
    """Returns a layer's kernel as a matrix for its columns: float32 [taps * channels, outputs]."""
    (kernel,) = read_variables([layer.kernel])
    matrix: Floats = kernel.reshape(-1, kernel.shape[-1])
    return matrix


@dataclasses.dataclass(frozen=True)
class Survey:
    """What a model does on pictures, for some groups.

    Attributes:
      variances: of what comes to the consumer: for each group float64 [taps * channels].
      targets: what the consumer puts out, without bias: for each group float32 [n, positions,
        outputs].
    """

    variances: tuple[npt.NDArray[np.float64], ...]
    targets: tuple[Floats, ...]


def survey(model: Any, groups: Sequence[Group], pictures: Floats) -> Survey:
    """Looks at the consumers of groups; pictures as of `read_inputs`."""
    consumers = [group.consumer for group in groups]
    kernels = [columns_kernel(model.get_layer(name)) for name in consumers]
    targets: list[list[Floats]] = [[] for _ in groups]
    sums = [np.zeros((3, len(kernel))) for kernel in kernels]
    for batch in read_inputs(model, consumers, pictures):
        for columns, kernel, own, moments in zip(batch, kernels, targets, sums, strict=True):
            own.append(columns @ kernel)
            rows = columns.reshape(-1, columns.shape[-1]).astype(np.float64)
            moments += np.stack([np.full(rows.shape[1], len(rows)), rows.sum(0), (rows**2).sum(0)])
    return Survey(
        variances=tuple(square / n - (total / n) ** 2 for n, total, square in sums),
        targets=tuple(np.concatenate(own) for own in targets),
    )


def refit_consumer(model: Any, group: Group, target: Floats, pictures: Floats, kept: Kept) -> None:
    """Refits the consumer of a group that was cut, in place; those before it come first.

    Args:
      model: as `cut_channels` returns it.
      group: of it.
      target: what the consumer put out before, as `survey` says.
      pictures: prepared, float32 [n, h, w, c]: those of the target.
      kept: what is left of the consumer's own channels, if these were cut.
    """
    layer = model.get_layer(group.consumer)
    batches = read_inputs(model, [group.consumer], pictures)
    columns = np.concatenate([columns for (columns,) in batches])
    if group.consumer in kept:
        target = target[..., kept[group.consumer]]
    kernel, offset = refit(
        columns, target, columns_kernel(layer), has_offset=group.offset is not None
    )
    write_variables([layer.kernel], [kernel.reshape(layer.kernel.shape)])
    if group.offset is not None:
        _add_offset(model.get_layer(group.offset), offset)


def refit(
    columns: Floats, targets: Floats, kernel: Floats, *, has_offset: bool
) -> tuple[Floats, Floats]:
    """Returns the kernel and offset that come closest to some outputs.

    What is found is a change of the kernel, by ridge regression: where the columns say nothing,
    the kernel stays as it is. How much ridge is best is tried on the half of the pictures that
    the other half's regression has not seen.

    Args:
      columns: float32 [n, positions, d].
      targets: float32 [n, positions, outputs].
      kernel: float32 [d, outputs], to begin with.
      has_offset: whether a constant can be added to each output; 0 otherwise.

    Returns:
      float32 [d, outputs], float32 [outputs].
    """
    x, y = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (columns, targets))
    x_mean, y_mean = x.mean(axis=0) * has_offset, y.mean(axis=0) * has_offset
    x -= x_mean
    missing = y - y_mean - x @ kernel
    odd = np.repeat(np.arange(len(columns)) % 2 == 1, columns.shape[1])
    halves = [_Normal(x[half], missing[half]) for half in (odd, ~odd)]
    one, other = halves
    ridge = min(_RIDGES, key=lambda r: one.error(other.solve(r)) + other.error(one.solve(r)))
    refitted = kernel + _Normal(x, missing).solve(ridge)
    return refitted.astype(np.float32), (y_mean - x_mean @ refitted).astype(np.float32)


class _Normal:
    """The normal equations of a regression."""

    def __init__(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
        self._gram, self._cross, self._square = x.T @ x, x.T @ y, float(np.square(y).sum())
        self._scale = max(float(np.trace(self._gram)) / len(self._gram), 1e-30)

    def solve(self, ridge: float) -> npt.NDArray[np.float64]:
        ridged = self._gram + ridge * self._scale * np.eye(len(self._gram))
        return np.asarray(np.linalg.solve(ridged, self._cross), np.float64)

    def error(self, solution: npt.NDArray[np.float64]) -> float:
        """Returns the sum of squares that a solution leaves."""
        fitted = np.sum(solution * (self._gram @ solution - 2 * self._cross))
        return self._square + float(fitted)


def _columns(layer: Any, inputs: Any) -> Floats:
    """Returns what a layer's kernel lies on: float32 [n, positions, taps * channels]."""
    if type(layer) is keras.layers.Dense:
        rows = inputs.numpy()[:, None]
    elif layer.kernel_size == (1, 1):
        rows = inputs.numpy()[:, :: layer.strides[0], :: layer.strides[1]]
    else:  # One picture at a time: each number of its feature map is in as many rows as taps.
        return np.concatenate([_pick_positions(_patches(layer, each[None])) for each in inputs])
    return _pick_positions(rows)


def _patches(layer: Any, feature_map: Any) -> Floats:
    patches: Floats = tf.image.extract_patches(
        feature_map,
        sizes=[1, *layer.kernel_size, 1],
        strides=[1, *layer.strides, 1],
        rates=[1, *layer.dilation_rate, 1],
        padding=layer.padding.upper(),
    ).numpy()
    return patches


def _pick_positions(rows: Floats) -> Floats:
    flat: Floats = rows.reshape(len(rows), -1, rows.shape[-1])
    count = min(POSITIONS, flat.shape[1])
    return flat[:, np.linspace(0, flat.shape[1] - 1, count).round().astype(int)]


def _add_offset(layer: Any, offset: Floats) -> None:
    """Adds a constant to a layer's output, or to what BatchNorm takes."""
    if isinstance(layer, keras.layers.BatchNormalization):
        (mean,) = read_variables([layer.moving_mean])
        write_variables([layer.moving_mean], [mean - offset])
    else:
        (bias,) = read_variables([layer.bias])
        write_variables([layer.bias], [bias + offset])
