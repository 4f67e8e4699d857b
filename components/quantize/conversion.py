"""A Keras model to TFLite, by one scheme; every file takes raw pixels.

An export wrapper puts `(pixel - offset) * scale` before the model. As operations of their
own they keep the zero padding of a SAME convolution where it belongs, at the mean; the
converter may fold the scale into the first kernel, never the offset.

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
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.candidate import Scheme
from components.common.documents.image import InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import INPUT, OUTPUT, SIGNATURE
from components.common.lite.tflite import float_operators, inspect_model
from components.common.tasks.image.calibration import representative_dataset


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
        exported = _export(model, spec)
        tf.saved_model.save(exported, folder, signatures={SIGNATURE: exported.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _configure(converter, scheme, pictures)
        data = _convert(converter)
    if scheme == "int8":
        _check_integer(data)
    return data


def _export(model: keras.Model, spec: InputSpec) -> tf.Module:
    """Wraps a model so that it takes one picture of raw pixels."""
    shape = (1, spec.height, spec.width, spec.channels)
    exported = tf.Module()
    exported.model = model

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)])
    def serve(image: Any) -> Any:
        if any(spec.offset):
            image = image - tf.constant(spec.offset, tf.float32)
        if any(scale != 1 for scale in spec.scale):
            image = image * tf.constant(spec.scale, tf.float32)
        return {OUTPUT: model(image, training=False)}

    exported.serve = serve
    return exported


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
        converter.inference_input_type = tf.uint8
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
    """Checks that an int8 model computes in integers and takes a device's pixels as they are."""
    # A DEQUANTIZE alone feeds an operator that follows, or the output.
    if floating := [name for name in float_operators(data) if name != "DEQUANTIZE"]:
        raise ConversionError(
            f"the model is not full-integer: TFLite has no int8 kernel for {', '.join(floating)}"
        )
    model = inspect_model(data)
    found = (model.input.dtype, model.input.scale, model.input.zero_point)
    if found != ("uint8", 1.0, 0):
        raise ConversionError(
            "the quantized input must take pixels as they are (uint8, scale 1, zero point 0), "
            f"but came out as {found[0]}, scale {found[1]:g}, zero point {found[2]}"
        )
