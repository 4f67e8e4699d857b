"""The model as it ships: three tensors of one text in, named as MediaPipe's text classifier asks.

What a device's tokenizer makes of a text goes in as it is, so nothing is done before the model.
"""

from typing import Any

from components.common.documents.candidate import TensorSpec
from components.common.documents.text import TextSpec
from components.common.keras import keras, tf
from components.common.lite.litert import OUTPUT
from components.common.tasks.text.models.classifier import ROWS

DEVICE_TYPE = tf.float32
"""No tensor that a device feeds is float32, so an integer model has none to replace."""


def export_module(model: keras.Model, spec: TextSpec) -> tf.Module:
    """Wraps a model so that it takes one text's three tensors.

    Args:
      model: takes tokens int32 [n, 3, length], gives probabilities [n, classes].
      spec: the length of a text.

    Returns:
      A module whose `serve` takes input_ids, input_mask and segment_ids, int32 [1, length].
    """
    own = {layer.name: layer.output for layer in model.layers if layer.name in ROWS}
    served = keras.Model(own, model.output)
    exported = tf.Module()
    # Not the model: of each layer that a module holds, saving it would trace every call.
    exported.weights = served.weights
    signature = [tf.TensorSpec((1, spec.length), tf.int32, name=name) for name in ROWS]

    @tf.function(input_signature=signature)
    def serve(input_ids: Any, input_mask: Any, segment_ids: Any) -> Any:
        rows = dict(zip(ROWS, (input_ids, input_mask, segment_ids), strict=True))
        return {OUTPUT: served({name: rows[name] for name in own}, training=False)}

    exported.serve = serve
    return exported


def preparation(spec: TextSpec) -> tuple[()]:
    """Returns what an exported model does to tokens before the model sees them: nothing."""
    return ()


def explain_input(found: TensorSpec) -> str | None:
    """Returns how an integer model fails to take token ids as they are, None where it does."""
    if found.dtype == "int32":
        return None
    return f"the model must take token ids as they are (int32), but its input is {found.dtype}"
