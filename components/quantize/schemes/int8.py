"""int8: integers throughout, with activation ranges from training examples.

Its output is uint8 too: TFLite's integer softmax has 256 levels whatever the output's type, so
float32 would cost an operator that integer-only accelerators lack, and hold no more.
"""

from typing import Any

from components.quantize.schemes.scheme import ConversionError, Scheme


def _tell(converter: Any, settings: Any, examples: Any) -> None:
    from components.common.keras import tf

    if examples is None:
        raise ValueError("int8 needs examples to calibrate on")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples.tensors
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = examples.device_type
    converter.inference_output_type = tf.uint8


def _check(data: bytes) -> None:
    from components.common.lite.tflite import float_operators

    if floating := float_operators(data):
        raise ConversionError(
            f"the model is not full-integer: TFLite has no int8 kernel for {', '.join(floating)}"
        )


SCHEME = Scheme(
    kind="int8",
    words="int8 weights and activations",
    section=("calibration_examples",),
    tell=_tell,
    check=_check,
    is_integer=True,
)
