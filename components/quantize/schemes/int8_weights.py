"""int8_weights: weights of a quarter of the size, widened to float32 before they are used.

Activations keep every bit, unlike under dynamic_range.
"""

from typing import Any

from components.quantize.schemes.scheme import Scheme


def _tell(quantization: Any, settings: Any, examples: Any) -> None:
    quantization.keep_weights(8)


SCHEME = Scheme(
    kind="int8_weights",
    words="int8 weights, widened to compute in float32",
    backend="litert_quantizer",
    tell=_tell,
)
