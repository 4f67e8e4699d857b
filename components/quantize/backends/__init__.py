"""What converts a model: each back end is a function of a SavedModel and of who tells its tool.

A scheme names its back end, and tells the back end's tool what it wants: TensorFlow's
TFLiteConverter (`tflite_converter`), or the Quantization of a float file (`litert_quantizer`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from components.quantize.backends import litert_quantizer, tflite_converter
from components.quantize.schemes.scheme import Backend


class Convert(Protocol):
    def __call__(self, saved_model: Path, tell: Callable[[Any], None]) -> bytes:
        """Converts a model.

        Args:
          saved_model: a folder as `tf.saved_model.save` writes it.
          tell: sets the back end's tool up.

        Returns:
          The `.tflite` file.

        Raises:
          ConversionError: the model cannot be converted as the tool was told.
        """


BACKENDS: Mapping[Backend, Convert] = {
    "tflite_converter": tflite_converter.convert,
    "litert_quantizer": litert_quantizer.convert,
}
