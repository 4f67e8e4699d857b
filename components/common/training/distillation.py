"""The loss of a student that learns from a teacher beside the labels."""

from typing import Any

from components.common.keras import tf
from components.common.training.config import Distillation


def distil(losses: Any, logits: Any, taught: Any, distillation: Distillation) -> Any:
    """Returns the losses of examples with the teacher's part in them.

    The divergence of softened probabilities shrinks as the square of the temperature; scaled
    by that square, the weight means the same at every temperature (G. Hinton, O. Vinyals,
    J. Dean, Distilling the knowledge in a neural network, 2015, section 2).

    Args:
      losses: float32 [b], those of the labels.
      logits: float32 [b, classes], the student's.
      taught: float32 [b, classes], the teacher's logits.
      distillation: temperature T and weight w.

    Returns:
      float32 [b]: (1 - w) losses + w T^2 KL(teacher at T || student at T).
    """
    temperature, weight = distillation.temperature, distillation.weight
    teacher = tf.nn.log_softmax(tf.stop_gradient(taught) / temperature)
    student = tf.nn.log_softmax(logits / temperature)
    divergence = tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis=-1)
    return (1.0 - weight) * losses + weight * temperature**2 * divergence
