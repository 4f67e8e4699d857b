"""float16: weights of half the size, which are widened to float32 before they are used."""

from typing import Any

from components.quantize.schemes.scheme import Scheme


def _tell(converter: Any, settings: Any, examples: Any) -> None:
    from components.common.keras import tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


SCHEME = Scheme(kind="float16", words="float16 weights", tell=_tell)
