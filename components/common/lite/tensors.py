"""What every operator of a `.tflite` computes, value by value.

LiteRT reuses the memory of what it has computed, and hands parts of a model to faster kernels that
keep nothing between. Here it is told to keep every tensor, and to run the reference kernels alone:
slow, but each value can be looked at.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.common.lite.graph import Operator, Tensor, read_graphs
from components.common.lite.litert import LiteRTError, split_example


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputedTensor:
    """What an operator computes.

    Attributes:
      index: its number in the model.
      name: as the converter named it, after the operations that became this operator.
      operator: `CONV_2D`.
      shape: with the batch of one.
      step: between two neighbouring values that it can hold; 0 where it is floating point.
      low: the smallest value that it can hold, `-inf` where it is floating point.
      high: the greatest.
      scales: how many scales the operator's weights have: 0 where it has none that are quantized,
        1 where one is for all channels.
    """

    index: int
    name: str
    operator: str
    shape: tuple[int, ...]
    step: float
    low: float
    high: float
    scales: int


class TensorReader:
    """A model that keeps all that it computes.

    Args:
      data: a `.tflite` file with one output.

    Raises:
      LiteRTError: the model can't be loaded.
    """

    def __init__(self, data: bytes) -> None:
        try:
            graph = read_graphs(data)[0]
            self._interpreter = Interpreter(
                model_content=data,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
            self._inputs = self._interpreter.get_input_details()
            (output,) = self._interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise LiteRTError(f"LiteRT cannot load the model: {error}") from error
        self.output: int = output["index"]
        details = {each["index"]: each for each in self._interpreter.get_tensor_details()}
        numbers = {tensor: number for number, tensor in enumerate(graph.tensors)}
        self.tensors = tuple(
            _describe(details[numbers[made]], operator, [details[numbers[c]] for c in constants])
            for operator in graph.operators
            for constants in [_constants(operator)]
            for made in operator.outputs
        )

    def read(self, features: npt.NDArray[Any]) -> Mapping[int, npt.NDArray[np.float32]]:
        """Runs the model on one example.

        Args:
          features: as a device has them, without the batch.

        Returns:
          The number of each computed tensor -> its real values, with the batch of one.

        Raises:
          LiteRTError: the model can't be run on it.
        """
        parts = split_example(features, self._inputs)
        try:
            for part, given in zip(parts, self._inputs, strict=True):
                value = _as_input(part[np.newaxis], given)
                self._interpreter.set_tensor(given["index"], value)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise LiteRTError(f"LiteRT cannot run the model: {error}") from error
        return {tensor.index: self._values(tensor) for tensor in self.tensors}

    def _values(self, tensor: ComputedTensor) -> npt.NDArray[np.float32]:
        values: npt.NDArray[Any] = self._interpreter.get_tensor(tensor.index)
        if not tensor.step:
            return values.astype(np.float32)
        lowest = np.iinfo(values.dtype).min
        steps = values.astype(np.float32) - np.float32(lowest)
        return np.asarray(np.float32(tensor.low) + np.float32(tensor.step) * steps, np.float32)


def _constants(operator: Operator) -> list[Tensor]:
    return [tensor for tensor in operator.inputs if tensor and tensor.buffer is not None]


def _as_input(features: npt.NDArray[Any], details: Mapping[str, Any]) -> npt.NDArray[Any]:
    dtype, (scale, zero_point) = np.dtype(details["dtype"]), details["quantization"]
    if dtype.kind == "f" or not scale:
        return features.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(features.astype(np.float32) / scale) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max), dtype)


def _describe(
    details: Mapping[str, Any], operator: Operator, constants: Sequence[Mapping[str, Any]]
) -> ComputedTensor:
    scale, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"])
    quantized = bool(scale) and dtype.kind in "iu"
    low, high = -np.inf, np.inf
    if quantized:
        limits = np.iinfo(dtype)
        low, high = scale * (limits.min - zero_point), scale * (limits.max - zero_point)
    return ComputedTensor(
        index=details["index"],
        name=details["name"],
        operator=operator.name,
        shape=tuple(int(size) for size in details["shape"]),
        step=float(scale) if quantized else 0.0,
        low=float(low),
        high=float(high),
        scales=max(map(_weight_scales, constants), default=0),
    )


def _weight_scales(details: Mapping[str, Any]) -> int:
    """Returns how many scales a constant has, if it is a quantized kernel."""
    is_kernel = details["dtype"] == np.int8 and len(details["shape"]) >= 2
    return len(details["quantization_parameters"]["scales"]) if is_kernel else 0
