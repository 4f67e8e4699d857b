"""dynamic_range: int8 weights; activations take their ranges anew at every inference."""

from typing import Any

from components.quantize.schemes.scheme import Scheme


def _tell(converter: Any, settings: Any, examples: Any) -> None:
    from components.common.keras import tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


SCHEME = Scheme(kind="dynamic_range", words="int8 weights, float32 activations", tell=_tell)
