"""The lines of Python on a model card that are the same for every task."""

from components.common.documents.candidate import TFLiteModel


def classifying_code(model: TFLiteModel, *, needed: str, prepared: str, fed: str) -> str:
    """Returns a few lines of Python that classify an example with the released files.

    Args:
      model: the released model.
      needed: the import of what brings an example to the model.
      prepared: the lines that do so.
      fed: the arguments of the model's signature.
    """
    scale = ""
    if model.output.scale:
        scale = (
            f"\nprobabilities = {model.output.scale!r} * "
            f"(probabilities.astype(np.int32) - {model.output.zero_point})"
        )
    return f"""\
import numpy as np
from ai_edge_litert.interpreter import Interpreter
{needed}

interpreter = Interpreter(model_path="model.tflite")
classify = interpreter.get_signature_runner("serving_default")
with open("labels.txt", encoding="utf-8", newline="\\n") as lines:
    labels = lines.read().split("\\n")

{prepared}
probabilities = classify({fed})["probabilities"][0]{scale}
best = probabilities.argmax()
print(labels[best], probabilities[best])"""
