"""An int8 classifier written tensor by tensor: convolutions and a dense layer, weights drawn.

Sums keep about the size of what they sum, so that one scale suits all that is computed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.builders.tflite_models import ModelBuilder

Operator, Type = schema.BuiltinOperator, schema.TensorType
SIZE, CHANNELS, CLASSES = 12, 3, 5
SCALE = 4.0


def build_int8_classifier(
    *,
    stride: int = 2,
    dilation: int = 1,
    padding: int = schema.Padding.SAME,
    sparsity: float = 0.0,
    shares: bool = False,
) -> bytes:
    """Returns a file: two convolutions 3 x 3, one 1 x 1, a dense layer; scores are its output.

    Args:
      stride: of the second convolution.
      dilation: likewise.
      padding: likewise.
      sparsity: share of the weights that are 0.
      shares: whether the 1 x 1 convolution's weights serve a second one that follows it.
    """
    random = np.random.default_rng(0)
    build = ModelBuilder()
    image = build.tensor("image", [1, SIZE, SIZE, CHANNELS], Type.INT8, scale=1, zero_point=-128)
    draw = _Drawer(build, random, sparsity)
    first = draw.convolve(image, 1.0, [1, SIZE, SIZE, 16], (3, 3, CHANNELS), scale=SCALE)
    reach = 2 * dilation + 1
    side = -(-SIZE // stride) if padding == schema.Padding.SAME else (SIZE - reach) // stride + 1
    second = draw.convolve(
        first, SCALE, [1, side, side, 24], (3, 3, 16), scale=SCALE,
        stride=stride, dilation=dilation, padding=padding,
    )  # fmt: skip
    third = draw.convolve(second, SCALE, [1, side, side, 24], (1, 1, 24), scale=SCALE)
    if shares:
        kernel = build.graph.operators[-1].inputs[1:]
        third = draw.convolve(
            third, SCALE, [1, side, side, 24], (1, 1, 24), scale=SCALE, kernel=kernel
        )
    scores = draw.dense(third, SCALE, side * side * 24, scale=SCALE)
    return build.finish(image, scores)


class _Drawer:
    def __init__(self, build: ModelBuilder, random: np.random.Generator, sparsity: float) -> None:
        self._build, self._random, self._sparsity = build, random, sparsity

    def convolve(
        self,
        source: int,
        source_scale: float,
        shape: Sequence[int],
        window: tuple[int, int, int],
        *,
        scale: float,
        stride: int = 1,
        dilation: int = 1,
        padding: int = schema.Padding.SAME,
        kernel: Sequence[int] | None = None,
    ) -> int:
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = dilation
        options.padding = padding
        made = self._build.tensor("made", shape, Type.INT8, scale=scale, zero_point=-3)
        kernel = kernel or self._kernel([shape[3], *window], source_scale)
        inputs = [source, *kernel]
        self._build.operator(
            Operator.CONV_2D, inputs, [made], options, schema.BuiltinOptions.Conv2DOptions
        )
        return made

    def dense(self, source: int, source_scale: float, columns: int, *, scale: float) -> int:
        made = self._build.tensor("scores", [1, CLASSES], Type.INT8, scale=scale, zero_point=0)
        inputs = [source, *self._kernel([CLASSES, columns], source_scale)]
        self._build.operator(
            Operator.FULLY_CONNECTED, inputs, [made], schema.FullyConnectedOptionsT(),
            schema.BuiltinOptions.FullyConnectedOptions,
        )  # fmt: skip
        return made

    def _kernel(self, shape: Sequence[int], source_scale: float) -> list[int]:
        real = self._random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        real[self._random.random(shape) < self._sparsity] = 0
        scales = np.abs(real).reshape(shape[0], -1).max(axis=1).astype(np.float32) / 127
        codes = np.rint(real / scales.reshape(-1, *[1] * (len(shape) - 1))).astype(np.int8)
        bias = np.rint(self._random.normal(size=shape[0]) * 5 / (source_scale * scales))
        weights = self._build.tensor("weights", shape, Type.INT8, values=codes)
        added = self._build.tensor("bias", shape[:1], Type.INT32, values=bias.astype(np.int32))
        for tensor, own in ((weights, scales), (added, scales * np.float32(source_scale))):
            self._build.graph.tensors[tensor].quantization = _by_channel(own)
        return [weights, added]


def _by_channel(scales: Any) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale = scales
    quantization.zeroPoint = np.zeros(len(scales), np.int64)
    quantization.quantizedDimension = 0
    return quantization


def draw_examples(count: int, seed: int = 1) -> Any:
    """Returns int8 pictures with large shapes: [count, SIZE, SIZE, CHANNELS]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(-128, 128, (count, SIZE // 4, SIZE // 4, CHANNELS))
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2) + random.integers(
        -20, 20, (count, SIZE, SIZE, CHANNELS)
    )
    return np.clip(fine, -128, 127).astype(np.int8)
