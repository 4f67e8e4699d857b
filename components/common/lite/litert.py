"""A `.tflite` classifier in LiteRT, fed what a device would feed.

The model's own input and output types are honoured: what a device has goes in as it is, or as
the same values of the type that the model takes; quantized outputs are dequantized.
"""

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


class Classifier:
    """One interpreter; not to be shared between threads.

    Args:
      model: the `.tflite` file.
      threads: how many threads one inference may use.

    Raises:
      LiteRTError: the model cannot be loaded, or does not follow litesmith's signature.
    """

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        try:
            self._interpreter = Interpreter(model_path=str(model), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise LiteRTError(f"LiteRT cannot load the model: {error}") from error
        signatures = self._interpreter.get_signature_list()
        expected = {"inputs": [INPUT], "outputs": [OUTPUT]}
        if signatures.get(SIGNATURE) != expected:
            raise LiteRTError(
                f"expected the signature {SIGNATURE} with {expected}, found {signatures}"
            )
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    def load(self, features: npt.NDArray[Any]) -> None:
        """Copies what the model is to see into its input tensor.

        Args:
          features: of one example, in the shape of the model's input without the batch.
        """
        value = features[np.newaxis].astype(self._input["dtype"], copy=False)
        try:
            self._interpreter.set_tensor(self._input["index"], value)
        except ValueError as error:
            raise LiteRTError(
                f"the model does not take the data set's examples: {error}"
            ) from error

    def invoke(self) -> None:
        """Runs the model on what was loaded; Python's lock is released meanwhile."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise LiteRTError(f"LiteRT cannot run the model: {error}") from error

    def probabilities(self) -> npt.NDArray[np.float32]:
        """Returns the last result: float32 [classes]."""
        values: npt.NDArray[Any] = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero_point = self._output["quantization"]
        if scale == 0:
            return values.astype(np.float32)
        real = np.float32(scale) * (values.astype(np.int32) - zero_point)
        return np.asarray(real, dtype=np.float32)

    def classify(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns the class probabilities, float32 [classes], of an example."""
        self.load(features)
        self.invoke()
        return self.probabilities()
