"""The model as it ships: one picture of raw pixels in, preprocessing inside.

An export wrapper puts `(pixel - offset) * scale` before the model. As operations of their
own they keep the zero padding of a SAME convolution where it belongs, at the mean; the
converter may fold the scale into the first kernel, never the offset.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from components.common.documents.candidate import TensorSpec
from components.common.documents.image import InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import INPUT, OUTPUT

DEVICE_TYPE = tf.uint8
"""What a device has of a pixel, and a quantized model takes as it is."""


def export_module(model: keras.Model, spec: InputSpec) -> tf.Module:
    """Wraps a model so that it takes one picture of raw pixels.

    Args:
      model: takes float32 [n, height, width, channels], gives probabilities [n, classes].
      spec: what the model expects.

    Returns:
      A module whose `serve` takes float32 [1, height, width, channels] in [0, 255].
    """
    exported = tf.Module()
    # Not the model: of each layer that a module holds, saving it would trace every call.
    exported.weights = model.weights

    @tf.function(input_signature=[tf.TensorSpec((1, *spec.shape), tf.float32, name=INPUT)])
    def serve(image: Any) -> Any:
        if any(spec.offset):
            image = image - tf.constant(spec.offset, tf.float32)
        if any(scale != 1 for scale in spec.scale):
            image = image * tf.constant(spec.scale, tf.float32)
        return {OUTPUT: model(image, training=False)}

    exported.serve = serve
    return exported


def preparation(spec: InputSpec) -> tuple[Callable[[Any], Any], ...]:
    """Returns what an exported model does to pixels before the model sees them, step by step.

    Each takes and gives float32 [n, height, width, channels].
    """
    offset, scale = np.array(spec.offset, np.float32), np.array(spec.scale, np.float32)
    return (lambda pixels: pixels - offset, lambda pixels: pixels * scale)


def explain_input(found: TensorSpec) -> str | None:
    """Returns how a quantized model fails to take pixels as they are, None where it does."""
    if (found.dtype, found.scale, found.zero_point) == (DEVICE_TYPE.name, 1.0, 0):
        return None
    return (
        f"the quantized input must take pixels as they are ({DEVICE_TYPE.name}, scale 1, zero "
        f"point 0), but came out as {found.dtype}, scale {found.scale:g}, zero point "
        f"{found.zero_point}"
    )
