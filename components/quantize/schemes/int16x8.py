"""int16x8: int8 weights, and activations of 16 bits, with ranges from training examples.

For accelerators that compute so, and models that int8 activations spoil. On a processor it takes
many times as long as float32: TFLite has but plain loops for it.
"""

from typing import Any

from components.quantize.schemes.scheme import ConversionError, Scheme


def _tell(converter: Any, settings: Any, examples: Any) -> None:
    from components.common.keras import tf

    if examples is None:
        raise ValueError("int16x8 needs examples to calibrate on")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples.tensors
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]


def _check(data: bytes) -> None:
    from components.common.lite.tflite import float_operators

    # What a device has goes in as float32, and probabilities come out so.
    if floating := float_operators(data):
        raise ConversionError(
            f"the model is not integer inside: TFLite has no int16 kernel for {', '.join(floating)}"
        )


SCHEME = Scheme(
    kind="int16x8",
    words="int8 weights, int16 activations",
    section=("calibration_examples",),
    tell=_tell,
    check=_check,
    refused_by={
        "text": "TFLite has no kernels of 16 bits for what an encoder does with its mask",
    },
)
