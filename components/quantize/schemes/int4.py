"""int4: weights of dense layers and 1x1 convolutions in 4 bits, two to a byte, the rest in int8.

It is for budgets of raw bytes. Kernels for 4 bits are slower than float32's on most processors.
"""

from typing import Any

from components.quantize.schemes.scheme import ConversionError, Scheme


def _tell(quantization: Any, settings: Any, examples: Any) -> None:
    quantization.compute_in_integers(examples)
    narrow = [operator for operator in quantization.operators if _is_narrowed(operator)]
    if not narrow:
        raise ConversionError("the model has no dense layer and no 1x1 convolution to keep in int4")
    for operator in narrow:
        quantization.narrow_weights(operator, 4, "OCTAV")


def _is_narrowed(operator: Any) -> bool:
    if operator.operation == "CONV_2D":
        return bool(operator.weights[1:3] == (1, 1))
    return bool(operator.operation == "FULLY_CONNECTED" and operator.weights)


SCHEME = Scheme(
    kind="int4",
    words="int4 weights of dense layers and 1x1 convolutions, else int8",
    backend="litert_quantizer",
    section=("calibration_examples",),
    tell=_tell,
)
