"""`.tflite` classifiers written tensor by tensor, without TensorFlow: in milliseconds, as wanted.

A picture [size, size, channels] goes through a convolution, is averaged, and ends in a dense layer
with softmax. Nothing is learned: weights are drawn, or the network tells the mean intensity.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Operator = schema.BuiltinOperator


class ModelBuilder:
    """Tensors and operators of a graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: int = schema.TensorType.FLOAT32,
        *,
        values: np.ndarray | None = None,
        scale: float = 0.0,
        zero_point: int = 0,
    ) -> int:
        """Adds a tensor, constant where it has values; returns its index."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), dtype
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [scale]
            tensor.quantization.zeroPoint = [zero_point]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        options_type: int = 0,
    ) -> None:
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
        entry.version = 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptions, operator.builtinOptionsType = options, options_type
        self.model.operatorCodes.append(entry)
        self.graph.operators.append(operator)

    def finish(self, input_: int, output: int, *more_inputs: int) -> bytes:
        """Returns the file, with litesmith's signature."""
        self.graph.inputs, self.graph.outputs = [input_, *more_inputs], [output]
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.inputs, signature.outputs = (
            [_map("image", input_)],
            [_map("probabilities", output)],
        )
        self.model.signatureDefs = [signature]
        builder = _AlignedBuilder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def build_classifier(
    *, size: int = 8, channels: int = 3, filters: int = 4, classes: int = 3, seed: int = 0
) -> bytes:
    """Returns a float32 classifier with drawn weights."""
    random = np.random.default_rng(seed)
    build = ModelBuilder()
    image = build.tensor("image", [1, size, size, channels])
    kernel = random.normal(size=(filters, 3, 3, channels)).astype(np.float32)
    made = _convolve(build, image, kernel, size)
    mean = _average(build, made, filters)
    head = random.normal(size=(classes, filters)).astype(np.float32)
    return build.finish(image, _classify(build, mean, head, np.zeros(classes, np.float32)))


def build_brightness_judge(
    *, size: int = 8, channels: int = 3, threshold: float = 128.0, dtype: str = "float32"
) -> bytes:
    """Returns a classifier that says 1 of pictures whose mean intensity is above a threshold.

    Args:
      size: of the picture.
      channels: of the picture.
      threshold: in [0, 255].
      dtype: of its input: float32, uint8, or int8 (the same intensities, less 128).
    """
    build = ModelBuilder()
    image = pixels = build.tensor("image", [1, size, size, channels])
    if dtype != "float32":
        code = {"uint8": schema.TensorType.UINT8, "int8": schema.TensorType.INT8}[dtype]
        zero_point = {"uint8": 0, "int8": -128}[dtype]
        image = build.tensor(
            "stored", [1, size, size, channels], code, scale=1.0, zero_point=zero_point
        )
        build.operator(Operator.DEQUANTIZE, [image], [pixels])
    mean = _average(build, pixels, channels)
    head = np.array([[0.0] * channels, [1 / channels] * channels], np.float32)
    return build.finish(image, _classify(build, mean, head, np.array([threshold, 0], np.float32)))


def _convolve(build: ModelBuilder, taken: int, kernel: np.ndarray, size: int) -> int:
    filters = len(kernel)
    weights = build.tensor("kernel", kernel.shape, values=kernel)
    bias = build.tensor("bias", [filters], values=np.zeros(filters, np.float32))
    made = build.tensor("convolved", [1, size, size, filters])
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    kind = schema.BuiltinOptions.Conv2DOptions
    build.operator(Operator.CONV_2D, [taken, weights, bias], [made], options, kind)
    return made


def _average(build: ModelBuilder, taken: int, channels: int) -> int:
    axes = build.tensor("axes", [2], schema.TensorType.INT32, values=np.array([1, 2], np.int32))
    made = build.tensor("mean", [1, channels])
    build.operator(
        Operator.MEAN,
        [taken, axes],
        [made],
        schema.ReducerOptionsT(),
        schema.BuiltinOptions.ReducerOptions,
    )
    return made


def _classify(build: ModelBuilder, taken: int, head: np.ndarray, bias: np.ndarray) -> int:
    weights = build.tensor("head", head.shape, values=head)
    offsets = build.tensor("offsets", bias.shape, values=bias)
    logits, made = (build.tensor(name, [1, len(head)]) for name in ("logits", "probabilities"))
    dense = schema.FullyConnectedOptionsT()
    kind = schema.BuiltinOptions.FullyConnectedOptions
    build.operator(Operator.FULLY_CONNECTED, [taken, weights, offsets], [logits], dense, kind)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    build.operator(
        Operator.SOFTMAX, [logits], [made], softmax, schema.BuiltinOptions.SoftmaxOptions
    )
    return made


def _map(name: str, tensor: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """The schema's alignment of weights, which generated code forgets."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        return int(super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment))
