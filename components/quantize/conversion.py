"""A Keras model to TFLite, by one scheme; every file takes what a device has, as it is.

This is the backend `tflite_converter`: TensorFlow's own converter, which each scheme tells what
it wants, and whose answer each scheme checks.
"""

import tempfile
import warnings
from typing import Any

import numpy.typing as npt

from components.common.documents.image import InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import SIGNATURE
from components.common.tasks.image.export import export_module
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import ConversionError


def convert_model(
    model: keras.Model,
    spec: InputSpec,
    kind: str,
    examples: npt.NDArray[Any] | None = None,
) -> bytes:
    """Converts a classifier.

    Args:
      model: takes prepared examples, float32 [n, ...], gives probabilities [n, classes].
      spec: what the model expects.
      kind: the quantization scheme's.
      examples: [n, ...], as a device has them, where the scheme calibrates.

    Returns:
      The `.tflite` file.

    Raises:
      ConversionError: an operation cannot be converted or quantized, or the result does
        not keep the input contract.
    """
    scheme = SCHEMES[kind]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The converter calibrates with TensorFlow's own interpreter, which calls itself
        # deprecated.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        exported = export_module(model, spec)
        tf.saved_model.save(exported, folder, signatures={SIGNATURE: exported.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        scheme.tell(converter, examples)
        data = _convert(converter)
    scheme.check(data)
    return data


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
