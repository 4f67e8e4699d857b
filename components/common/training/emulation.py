"""A model that rounds as its int8 file will, so that it learns to bear that in training.

In a copy of the model each kernel is rounded to 8 bits for each output channel, and so is every
activation that the file keeps:

    picture -> conv (kernel rounded) -> norm -> relu -> rounded -> conv (kernel rounded) -> ...

Gradients pass by the rounding; values outside of their range have none (Y. Bengio et al.,
Estimating or Propagating Gradients Through Stochastic Neurons, 2013). Zeros of a kernel stay zeros.
BatchNorm stays as it is, for the file has it folded into the kernels.

tfmot's wrapper gives a layer its rounded kernel. What is rounded, and how, is said here, for
tfmot's own 8-bit scheme has one scale for all channels of a depthwise kernel, where TFLite has one
for each, takes dropout into its wrapper, where the training loop can't draw its noise, and lets
ranges of activations begin at 6 and go a thousandth of the way at each step. Here they are what
the model gave on training pictures before, and constants, so that an interrupted training goes on
with the same.

A picture's pixels are integers as they come, so they are not rounded.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow_model_optimization as tfmot

from components.common.errors import UserError
from components.common.keras import keras, tf
from components.common.training.frozen_part import nodes_of
from components.common.training.strategy import read_variables, write_variables

Ranges: TypeAlias = Mapping[str, tuple[float, float]]
"""Layer -> the lowest and the highest value that it gives."""

_KERNELS = {
    keras.layers.Conv2D: "kernel",
    keras.layers.Dense: "kernel",
    keras.layers.DepthwiseConv2D: "depthwise_kernel",
}
_ROUNDED = (
    *_KERNELS,
    keras.layers.BatchNormalization,
    keras.layers.ReLU,
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Concatenate,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
)
_PASSING = (
    keras.layers.InputLayer,
    keras.layers.ZeroPadding2D,
    keras.layers.MaxPooling2D,
    keras.layers.Dropout,
    keras.layers.Softmax,
)
"""What they give is among what they are given, or nothing but a prediction."""

_STEPS = 255
"""Between the ends of a range of 8 bits; of a kernel's, which is symmetric, one less."""


@dataclasses.dataclass(frozen=True)
class Emulation:
    """A copy of a model that rounds.

    Attributes:
      model: to be trained; flat and functional, it ends in head and softmax as the original does.
    """

    model: Any
    _original: Any
    _variables: Sequence[Any]

    def write_back(self) -> None:
        """Gives the original, which does not round, the weights that the copy has learned."""
        write_variables(self._original.weights, read_variables(self._variables))


def emulate_int8(model: Any, ranges: Ranges) -> Emulation:
    """Returns a copy of a model that rounds; in the scope of the strategy that trains it.

    Args:
      model: flat and functional, each layer called once.
      ranges: of all layers in `kept_in_int8`.
    """
    copy = keras.models.clone_model(model)
    write_variables(copy.weights, read_variables(model.weights))
    variables = copy.weights  # Wrapped layers have rounded tensors in the place of these.

    def wrap(layer: Any) -> Any:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
        kernel, range_ = _KERNELS.get(type(layer)), ranges.get(layer.name)
        if kernel is None and range_ is None:
            return layer
        return tfmot.quantization.keras.QuantizeWrapperV2(layer, _Rounding(layer, kernel, range_))

    rounding = keras.models.clone_model(copy, clone_function=wrap)
    return Emulation(rounding, model, variables)


def measure_ranges(model: Any, batches: Iterable[Any]) -> Ranges:
    """Returns the ranges of what a model's int8 file keeps.

    Args:
      model: flat and functional, each layer called once.
      batches: prepared inputs, float32 [n, ...] each.

    Raises:
      UserError: a layer is of a kind that can't be emulated.
    """
    names = kept_in_int8(model)
    # Of this graph: steps before may have called the same layers in others.
    outputs = {node.layer.name: node.outputs for node in nodes_of(model.output)}
    inside = keras.Model(model.inputs, [outputs[name] for name in names])

    @tf.function(reduce_retracing=True)
    def ends_of(inputs: Any) -> Any:
        found = tf.nest.flatten(inside(inputs, training=False))
        return tf.stack([*map(tf.reduce_min, found)]), tf.stack([*map(tf.reduce_max, found)])

    # Zero, which pads, has a code in every range.
    lows, highs = np.zeros(len(names)), np.zeros(len(names))
    for batch in batches:
        low, high = ends_of(batch)
        lows, highs = np.minimum(lows, low.numpy()), np.maximum(highs, high.numpy())
    return dict(zip(names, zip(lows.tolist(), highs.tolist(), strict=True), strict=True))


def kept_in_int8(model: Any) -> tuple[str, ...]:
    """Returns the layers whose output an int8 file keeps, from the input up.

    What is fused leaves its output nowhere: a convolution's before its BatchNorm, and what comes
    before a ReLU.

    Raises:
      UserError: a layer is of a kind that can't be emulated.
    """
    readers: dict[str, list[Any]] = {}
    for node in nodes_of(model.output):
        for parent in node.parent_nodes:
            readers.setdefault(parent.layer.name, []).append(node.layer)
    kept = []
    for layer in model.layers:
        if type(layer) not in (*_ROUNDED, *_PASSING):
            raise UserError(
                f"{layer.name} is a layer {type(layer).__name__}, whose rounding in int8 can't be "
                "emulated in training: such a model can not be trained for int8"
            )
        following = readers.get(layer.name, [])
        fused = len(following) == 1 and _fuses(layer, following[0])
        if type(layer) in _ROUNDED and not fused:
            kept.append(layer.name)
    return tuple(kept)


def _fuses(layer: Any, following: Any) -> bool:
    """Tells whether TFLite computes both layers in one operator."""
    if isinstance(following, keras.layers.BatchNormalization):
        return type(layer) in _KERNELS
    rectifies = isinstance(following, keras.layers.ReLU) or (
        isinstance(following, keras.layers.Activation)
        and following.activation is keras.activations.relu
    )
    return rectifies and type(layer) in (
        *_KERNELS,
        keras.layers.BatchNormalization,
        keras.layers.Add,
    )


class _Rounding(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """Tells tfmot's wrapper what to round of a layer: its kernel, its output, or both."""

    def __init__(self, layer: Any, kernel: str | None, range_: tuple[float, float] | None) -> None:
        self._kernel, self._range = kernel, range_
        if kernel is not None:
            (values,) = read_variables([getattr(layer, kernel)])
            self._quantizer = _KernelQuantizer(values, depthwise=kernel == "depthwise_kernel")

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        return [] if self._kernel is None else [(getattr(layer, self._kernel), self._quantizer)]

    def set_quantize_weights(self, layer: Any, quantize_weights: Sequence[Any]) -> None:
        if self._kernel is not None:
            (kernel,) = quantize_weights
            setattr(layer, self._kernel, kernel)

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [] if self._range is None else [_RangeQuantizer(*self._range)]

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: Sequence[Any]) -> None:
        assert not quantize_activations, "what a layer gives is rounded, nothing within it"

    def get_config(self) -> dict[str, Any]:
        return {}  # Nobody keeps this model: its weights go back to the original.


class _Quantizer(tfmot.quantization.keras.quantizers.Quantizer):  # type: ignore[misc]
    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        return {}

    def get_config(self) -> dict[str, Any]:
        return {}


class _KernelQuantizer(_Quantizer):
    """Rounds a kernel by the greatest weight of each output channel, as the converter does."""

    def __init__(self, kernel: npt.NDArray[np.float32], *, depthwise: bool) -> None:
        self._kept = None if kernel.all() else tf.constant(kernel != 0)
        # Of a depthwise kernel [h, w, channels, multiplier] the last two are the output's.
        self._axes = [0, 1] if depthwise else list(range(kernel.ndim - 1))

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        kernel = inputs if self._kept is None else tf.where(self._kept, inputs, 0.0)
        top = tf.reduce_max(tf.abs(tf.stop_gradient(kernel)), axis=self._axes, keepdims=True)
        return _round(kernel, -top, top, steps=_STEPS - 1)


class _RangeQuantizer(_Quantizer):
    """Rounds activations to the codes of one range."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        return _round(inputs, tf.constant(self._low), tf.constant(self._high), steps=_STEPS)


def _round(values: Any, low: Any, high: Any, *, steps: int) -> Any:
    """Rounds values to multiples of a step; zero is one of them."""
    step = (high - low) / steps
    inside = tf.clip_by_value(values, low, high)
    rounded = tf.round(tf.math.divide_no_nan(inside, step)) * step
    return inside + tf.stop_gradient(rounded - inside)
