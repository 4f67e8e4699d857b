"""What a training computes in."""

from collections.abc import Sequence

from components.common.keras import tf


def native_precision() -> str:
    """Returns Keras' policy for this machine's accelerators.

    TPUs have bfloat16, and GPUs from compute capability 8.0 on, where it needs no loss
    scaling; from 7.0 on GPUs have units for float16.
    """
    if tf.config.list_physical_devices("TPU"):
        return "mixed_bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return precision_for([found.get("compute_capability", (0, 0)) for found in details])


def precision_for(capabilities: Sequence[tuple[int, int]]) -> str:
    """Returns Keras' policy for GPUs of some compute capabilities; the least decides."""
    least = min(capabilities, default=(0, 0))
    if least >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if least >= (7, 0) else "float32"
