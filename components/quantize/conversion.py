"""A Keras model to TFLite, by one scheme; every file takes what a device has, as it is.

| scheme        | input   | weights | output  |
|---------------|---------|---------|---------|
| float32       | float32 | float32 | float32 |
| float16       | float32 | float16 | float32 |
| dynamic_range | float32 | int8    | float32 |
| int8          | uint8   | int8    | uint8   |

int8 gives uint8 too: TFLite's integer softmax has 256 levels whatever the output's type,
so float32 would cost an operator that integer-only accelerators lack, and hold no more.
"""

import tempfile
import warnings

import numpy as np
import numpy.typing as npt

from components.common.documents.candidate import Scheme
from components.common.documents.image import InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import SIGNATURE
from components.common.lite.tflite import float_operators, inspect_model
from components.common.tasks.image.calibration import representative_dataset
from components.common.tasks.image.export import DEVICE_TYPE, explain_input, export_module


class ConversionError(Exception):
    """A model cannot be made by a scheme; the message says why, in a sentence or two."""


def convert_model(
    model: keras.Model,
    spec: InputSpec,
    scheme: Scheme,
    pictures: npt.NDArray[np.uint8] | None = None,
) -> bytes:
    """Converts a classifier.

    Args:
      model: takes float32 [n, height, width, channels], gives probabilities
        [n, classes].
      spec: what the model expects.
      scheme: the quantization scheme.
      pictures: uint8 [n, height, width, channels], for int8 alone: spans [0, 255].

    Returns:
      The `.tflite` file.

    Raises:
      ConversionError: an operation cannot be converted or quantized, or the result does
        not keep the input contract.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The converter calibrates with TensorFlow's own interpreter, which calls itself
        # deprecated.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        exported = export_module(model, spec)
        tf.saved_model.save(exported, folder, signatures={SIGNATURE: exported.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _configure(converter, scheme, pictures)
        data = _convert(converter)
    if scheme == "int8":
        _check_integer(data)
    return data


def _configure(
    converter: tf.lite.TFLiteConverter, scheme: Scheme, pictures: npt.NDArray[np.uint8] | None
) -> None:
    if scheme == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "int8":
        if pictures is None:
            raise ValueError("int8 needs pictures to calibrate on")
        converter.representative_dataset = lambda: representative_dataset(pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = DEVICE_TYPE
        converter.inference_output_type = tf.uint8


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    # Here, because TensorFlow must be imported through components.common.keras.
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return bytes(converter.convert())
    except ConverterError as error:
        messages = dict.fromkeys(
            found.error_message.strip().partition("\n")[0] for found in error.errors
        )
        raise ConversionError(
            f"TFLite's converter refused the model: {'; '.join(messages) or error}"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"TFLite's converter failed: {error}") from error


def _check_integer(data: bytes) -> None:
    """Checks that an int8 model computes in integers and takes what a device has as it is."""
    # A DEQUANTIZE alone feeds an operator that follows, or the output.
    if floating := [name for name in float_operators(data) if name != "DEQUANTIZE"]:
        raise ConversionError(
            f"the model is not full-integer: TFLite has no int8 kernel for {', '.join(floating)}"
        )
    if fault := explain_input(inspect_model(data).input):
        raise ConversionError(fault)
