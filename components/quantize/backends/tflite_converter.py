"""TensorFlow's own converter; its tool is a TFLiteConverter."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.common.keras import tf
from components.quantize.schemes.scheme import ConversionError


def convert(saved_model: Path, tell: Callable[[Any], None]) -> bytes:
    """Converts a model, as `Convert` says."""
    with warnings.catch_warnings():
        # The converter calibrates with TensorFlow's own interpreter, which calls itself
        # deprecated.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
        tell(converter)
        return _convert(converter)


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
