"""The noise of every layer of a `.tflite` against the Keras model that it was made from.

Both see the same examples. Each layer of which the file holds the output is compared twice:

    drift   the file's output - what Keras has there
    own     the file's output - what Keras makes of the file's own inputs of this layer

A layer drifts also where those before it are wrong; its own noise is of its own making. So the
first layer whose own noise is great is where the two part, however far the error is carried.

Noise is a share of the signal: the mean squared error of a channel over the channel's variance, at
most 1, averaged over the layer's channels that vary. By channel, because one channel whose values
are a thousand times as great as the others' leaves a good figure over all, where nothing is left
of the others. A share in decibels is the layer's signal to quantization noise ratio.

Examples are taken a few at a time and only sums are kept, so that memory doesn't grow with them.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.drift.matching import (
    Group,
    folds_apart,
    group_layers,
    match_layers,
    norms_apart,
    outputs_of,
    preceding_tensors,
)
from components.common.drift.weights import weight_peak
from components.common.keras import keras, tf
from components.common.lite.tensors import ComputedTensor, TensorReader

Values = npt.NDArray[np.float32]
ByChannel = npt.NDArray[np.float64]
Preparation = Sequence[Callable[[Values], Values]]
"""What is done to what a device has, one after the other, before a model sees it."""

INPUT = "(input)"
"""Stands for a layer, where a file's own preparation of the input is compared."""

_AT_INPUT = Group(names=(INPUT,), kind="Input", label=INPUT, layers=())

_BYTES_AT_ONCE = 128 << 20
_VARIES = 1e-10
"""A channel that varies less, as a share of the layer's most varied one, is dead."""
_LEAST_NOISE = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """What was measured at one layer; arrays are float64 [channels].

    Attributes:
      layer: the Keras layer's name, or INPUT.
      kind: its class: `ReLU`.
      group: the layers that became one operator, this one the last.
      label: the one of them that people know it by: see `Group`.
      readers: the labels of what reads it.
      tensor: what the file has of it.
      means: of Keras' output.
      variances: of Keras' output.
      largest: the greatest magnitude of Keras' output.
      errors: mean squared drift.
      expected: variances of what Keras makes of the file's inputs.
      own_errors: mean squared difference from that.
      clipped_errors: the part of it that is due to values outside of the tensor's range.
      clipped: share of the values outside of the tensor's range.
      reached: the least and the greatest of what Keras makes of the file's inputs.
      variances_in_file: of the file's output.
      weight_peak: the greatest weight over the median of those that share its scale, at the scale
        where this is greatest; 0 without a kernel.
    """

    layer: str
    kind: str
    group: tuple[str, ...]
    label: str
    readers: tuple[str, ...]
    tensor: ComputedTensor
    means: ByChannel
    variances: ByChannel
    largest: ByChannel
    errors: ByChannel
    expected: ByChannel
    own_errors: ByChannel
    clipped_errors: ByChannel
    clipped: float
    reached: tuple[float, float]
    variances_in_file: ByChannel
    weight_peak: float

    @property
    def noise(self) -> float:
        """The drift as a share of the signal."""
        return noise_share(self.errors, self.variances)

    @property
    def own_noise(self) -> float:
        """The noise of the layer's own making."""
        return noise_share(self.own_errors, self.expected)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What was found layer by layer.

    Attributes:
      layers: in the order of the model.
      folds_apart: BatchNorms that could have been folded into the layer before, and which the
        file computes on their own -> that layer.
      examples: how many were seen.
    """

    layers: tuple[LayerTrace, ...]
    folds_apart: Mapping[str, str]
    examples: int


def noise_share(errors: ByChannel, variances: ByChannel) -> float:
    """Returns noise as a share of the signal, averaged over the channels that vary, in [0, 1].

    Args:
      errors: float64 [channels], mean squares.
      variances: float64 [channels], of the signal.
    """
    lives = living(variances)
    if not lives.any():
        return 0.0
    return float(np.minimum(errors[lives] / variances[lives], 1.0).mean())


def living(variances: ByChannel) -> npt.NDArray[np.bool_]:
    """Returns which channels vary: bool [channels]."""
    return variances > max(_VARIES * float(variances.max(initial=0.0)), 1e-20)


def decibels(share: float) -> float:
    """Returns a signal to noise ratio, at most 60 dB, of noise as a share of the signal."""
    return -10 * math.log10(max(share, _LEAST_NOISE))


def trace_drift(
    model: keras.Model, data: bytes, examples: npt.NDArray[Any], *, preparation: Preparation
) -> Trace:
    """Runs both models and compares them.

    Args:
      model: a flat functional classifier: float32 [n, ...], prepared, to [n, classes].
      data: the `.tflite` file, which takes an example as a device has it.
      examples: [n, ...], as a device has them; a few dozen say enough.
      preparation: what makes of them what the model takes.

    Raises:
      LiteRTError: the file can't be run.
      ValueError: no tensor of the file is named after a layer of the model.
    """
    reader = TensorReader(data)
    matched = match_layers(model, reader.tensors, output=reader.output)
    if len(matched) < 2:  # The output alone always matches.
        raise ValueError(
            "no tensor of the file is named after a layer of the model: they can't be compared "
            "layer by layer"
        )
    preceding = preceding_tensors(model, reader.tensors, matched)
    groups = group_layers(model, matched)
    sums = {name: _Sums(tensor) for name, tensor in matched.items()}
    entry = _Entry(preceding[-1] if preceding else None, preparation)
    at_once = _at_once(model)
    for start in range(0, len(examples), at_once):
        some = examples[start : start + at_once]
        rows = [reader.read(example) for example in some]
        seen = {
            name: np.concatenate([row[tensor.index] for row in rows])
            for name, tensor in matched.items()
        }
        prepared, as_seen = entry.add(some, rows)
        _compare(model, prepared, as_seen, seen, sums)
    return Trace(
        layers=(
            *entry.traces(_readers(model.layers[0].name, groups)),
            *(each.trace(groups[name], _readers(name, groups)) for name, each in sums.items()),
        ),
        folds_apart=folds_apart(model, norms_apart(model, reader.tensors)),
        examples=len(examples),
    )


def _readers(name: str, groups: Mapping[str, Group]) -> tuple[str, ...]:
    return tuple(sorted(group.label for group in groups.values() if name in group.inputs))


def _compare(
    model: keras.Model,
    prepared: Values,
    as_seen: Values,
    seen: Mapping[str, Values],
    sums: Mapping[str, "_Sums"],
) -> None:
    """Takes a batch through the model, once as it is and once on the file's own values."""
    start = id(model.layers[0].output)
    true, own = {start: tf.constant(prepared)}, {start: tf.constant(as_seen)}
    for layer in model.layers[1:]:
        for values in (true, own):
            values.update(_apply(layer, values))
        if layer.name in seen:
            here, found = id(layer.output), seen[layer.name]
            sums[layer.name].add(found, true[here].numpy(), own[here].numpy())
            own[here] = tf.constant(found)


def _apply(layer: Any, values: Mapping[int, Any]) -> Mapping[int, Any]:
    """Returns what a layer gives, by its output tensors, for values by its input tensors."""
    inputs = [values[id(tensor)] for tensor in tf.nest.flatten(layer.input)]
    found = layer(tf.nest.pack_sequence_as(layer.input, inputs))
    return dict(zip(map(id, outputs_of(layer)), tf.nest.flatten(found), strict=True))


def _at_once(model: keras.Model) -> int:
    # Of each layer: what Keras has, what it makes of the file's values, and the file's.
    outputs = [tensor for layer in model.layers for tensor in outputs_of(layer)]
    numbers = sum(math.prod(tensor.shape[1:]) for tensor in outputs)
    return int(max(1, min(8, _BYTES_AT_ONCE // (3 * 4 * numbers))))


class _Entry:
    """A file's own preparation of its input, which the converter may keep in another form.

    Where it folded the last steps into the first kernel, the file holds an earlier form.
    """

    def __init__(self, tensor: ComputedTensor | None, preparation: Preparation) -> None:
        self._tensor = tensor
        self._preparation = preparation
        self._steps = len(preparation)  # Those that the file's tensor has behind it.
        self._sums = None if tensor is None else _Sums(tensor)

    def add(
        self, examples: npt.NDArray[Any], rows: Sequence[Mapping[int, Values]]
    ) -> tuple[Values, Values]:
        """Returns what Keras takes, and the same as the file has it."""
        # Token ids are integers to the model, too.
        forms = [examples if examples.dtype == np.int32 else examples.astype(np.float32)]
        for step in self._preparation:
            forms.append(np.asarray(step(forms[-1]), np.float32))
        if self._tensor is None or self._sums is None:
            return forms[-1], forms[-1]
        found = np.concatenate([row[self._tensor.index] for row in rows])
        if not self._sums.count:
            errors = [float(np.square(found - form).mean()) for form in forms]
            self._steps = int(np.argmin(errors))
        self._sums.add(found, forms[self._steps], forms[self._steps])
        for step in self._preparation[self._steps :]:
            found = np.asarray(step(found), np.float32)
        return forms[-1], found

    def traces(self, readers: tuple[str, ...]) -> Sequence[LayerTrace]:
        return () if self._sums is None else (self._sums.trace(_AT_INPUT, readers),)


class _Sums:
    """Sums over examples and positions, by channel."""

    def __init__(self, tensor: ComputedTensor) -> None:
        self._tensor = tensor
        self.count = 0
        self._clipped = 0
        self._values = 0
        zeros = np.zeros(tensor.shape[-1] if len(tensor.shape) > 1 else 1)
        self._sums = {name: zeros.copy() for name in _SUMMED}
        self._largest = zeros
        self._reached = (math.inf, -math.inf)

    def add(self, found: Values, true: Values, expected: Values) -> None:
        self._add(*(_by_channel(values) for values in (found, true, expected)))

    def _add(self, found: ByChannel, true: ByChannel, expected: ByChannel) -> None:
        tensor = self._tensor
        held = np.clip(expected, tensor.low, tensor.high)
        outside = np.abs(held - expected) > tensor.step / 2
        self.count += len(found)
        self._clipped += int(outside.sum())
        self._values += outside.size
        self._largest = np.maximum(self._largest, np.abs(true).max(axis=0))
        low, high = self._reached
        self._reached = min(low, float(expected.min())), max(high, float(expected.max()))
        for name, values in {
            "true": true,
            "true_squares": true**2,
            "expected": expected,
            "expected_squares": expected**2,
            "found": found,
            "found_squares": found**2,
            "errors": (found - true) ** 2,
            "own_errors": (found - expected) ** 2,
            "clipped_errors": (held - expected) ** 2,
        }.items():
            self._sums[name] += values.sum(axis=0)

    def trace(self, group: Group, readers: tuple[str, ...]) -> LayerTrace:
        means = {name: sums / self.count for name, sums in self._sums.items()}

        def variance(of: str) -> ByChannel:
            return np.maximum(means[f"{of}_squares"] - means[of] ** 2, 0.0)

        return LayerTrace(
            layer=group.names[-1],
            kind=group.kind,
            group=group.names,
            label=group.label,
            readers=readers,
            tensor=self._tensor,
            means=means["true"],
            variances=variance("true"),
            largest=self._largest,
            errors=means["errors"],
            expected=variance("expected"),
            own_errors=means["own_errors"],
            clipped_errors=means["clipped_errors"],
            clipped=self._clipped / self._values,
            reached=self._reached,
            variances_in_file=variance("found"),
            weight_peak=weight_peak(group.layers, per_channel=self._tensor.scales != 1),
        )


def _by_channel(values: Values) -> ByChannel:
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


_SUMMED = (
    "true",
    "true_squares",
    "expected",
    "expected_squares",
    "found",
    "found_squares",
    "errors",
    "own_errors",
    "clipped_errors",
)
