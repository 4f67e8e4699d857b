"""A `.tflite` in LiteRT: anybody's, or a classifier fed what a device would feed.

The model's own input and output types are honoured: what a device has goes in as it is, or as
the same values of the type that the model takes; quantized outputs are dequantized.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

SIGNATURE = "serving_default"
INPUT = "image"
OUTPUT = "probabilities"


class LiteRTError(Exception):
    """LiteRT cannot load or run a model."""


def split_example(
    features: npt.NDArray[Any], inputs: Sequence[Mapping[str, Any]]
) -> list[npt.NDArray[Any]]:
    """Returns the part of an example that goes into each of a model's inputs.

    Args:
      features: what a single input takes; for several a row each, in the order of their names.
      inputs: LiteRT's details of each.
    """
    if len(inputs) == 1:
        return [features]
    if len(features) != len(inputs):
        raise LiteRTError(f"the model takes {len(inputs)} tensors, an example has {len(features)}")
    order = sorted(range(len(inputs)), key=lambda number: str(inputs[number]["name"]))
    rows = dict(zip(order, features, strict=True))
    return [rows[number] for number in range(len(inputs))]


class Runner:
    """One interpreter of any model; not to be shared between threads.

    Args:
      model: the `.tflite` file, or its content.
      threads: how many threads one inference may use.

    Attributes:
      inputs: LiteRT's details of each: `name`, `shape`, `dtype`, `quantization`.
      outputs: likewise.

    Raises:
      LiteRTError: the model cannot be loaded.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 1) -> None:
        held = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        try:
            self._interpreter = Interpreter(**held, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise LiteRTError(f"LiteRT cannot load the model: {error}") from error
        self.inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self._interpreter.get_output_details()

    def signatures(self) -> Mapping[str, Any]:
        """Returns signature -> names of its inputs and outputs."""
        found: Mapping[str, Any] = self._interpreter.get_signature_list()
        return found

    def load(self, values: Sequence[npt.NDArray[Any]]) -> None:
        """Copies a value into each input, of its type and shape."""
        for taken, value in zip(self.inputs, values, strict=True):
            try:
                self._interpreter.set_tensor(taken["index"], value)
            except ValueError as error:
                raise LiteRTError(f"the model does not take its input: {error}") from error

    def store(self, real: npt.NDArray[np.float32], number: int = 0) -> npt.NDArray[Any]:
        """Returns real values as an input holds them: in its type, by its scale if it has one."""
        dtype = np.dtype(self.inputs[number]["dtype"])
        scale, zero_point = self.inputs[number]["quantization"]
        if dtype.kind == "f":
            return real.astype(dtype)
        limits = np.iinfo(dtype)
        stored = np.round(real / (scale or 1.0)) + zero_point
        return np.asarray(np.clip(stored, limits.min, limits.max), dtype)

    def invoke(self) -> None:
        """Runs the model on what was loaded; Python's lock is released meanwhile."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise LiteRTError(f"LiteRT cannot run the model: {error}") from error

    def result(self, number: int = 0) -> npt.NDArray[np.float32]:
        """Returns an output of the last run: float32, quantized ones dequantized."""
        output = self.outputs[number]
        values: npt.NDArray[Any] = self._interpreter.get_tensor(output["index"])
        scale, zero_point = output["quantization"]
        if scale == 0:
            return values.astype(np.float32)
        real = np.float32(scale) * (values.astype(np.int32) - zero_point)
        return np.asarray(real, dtype=np.float32)


class Classifier:
    """A classifier of litesmith's; not to be shared between threads.

    Args:
      model: the `.tflite` file.
      threads: how many threads one inference may use.

    Raises:
      LiteRTError: the model cannot be loaded, or does not follow litesmith's signature.
    """

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        self._runner = Runner(model, threads=threads)
        signatures = self._runner.signatures()
        found = signatures.get(SIGNATURE, {})
        if not found.get("inputs") or found.get("outputs") != [OUTPUT]:
            raise LiteRTError(
                f"expected the signature {SIGNATURE} with the output {OUTPUT}, found {signatures}"
            )

    def load(self, features: npt.NDArray[Any]) -> None:
        """Copies what the model is to see into its input tensor.

        Args:
          features: of one example, in the shape of the model's input without the batch; with a
            row for each input, in the order of their names, where it has several.
        """
        parts = split_example(features, self._runner.inputs)
        try:
            self._runner.load(
                [
                    part[np.newaxis].astype(taken["dtype"], copy=False)
                    for part, taken in zip(parts, self._runner.inputs, strict=True)
                ]
            )
        except LiteRTError as error:
            raise LiteRTError(
                f"the model does not take the data set's examples: {error.__cause__}"
            ) from error

    def invoke(self) -> None:
        """Runs the model on what was loaded; Python's lock is released meanwhile."""
        self._runner.invoke()

    def probabilities(self) -> npt.NDArray[np.float32]:
        """Returns the last result: float32 [classes]."""
        probabilities: npt.NDArray[np.float32] = self._runner.result()[0]
        return probabilities

    def try_out(self) -> None:
        """Runs the model on nothing but zeros."""
        self._runner.load(
            [np.zeros(taken["shape"], taken["dtype"]) for taken in self._runner.inputs]
        )
        self._runner.invoke()

    def classify(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns the class probabilities, float32 [classes], of an example."""
        self.load(features)
        self.invoke()
        return self.probabilities()
