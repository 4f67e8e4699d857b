"""int8_selective: int8 as far as it goes, with named layers left in float32.

It is for a model that a few layers spoil. It takes and gives float32: what is left in float32
may be the first layer or the last.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from components.common.config import Section
from components.common.errors import UserError
from components.quantize.schemes.scheme import Scheme


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


class Settings(Section):
    """Which layers are left in float32."""

    float_layers: Annotated[
        tuple[Annotated[str, AfterValidator(_compiles)], ...], Field(min_length=1)
    ]
    """Regular expressions of the names of layers to leave in float32. An operator of several
    layers, such as a convolution and its ReLU, goes by each of their names."""


def _tell(quantization: Any, settings: Settings, examples: Any) -> None:
    quantization.compute_in_integers(examples)
    for pattern in settings.float_layers:
        named = [
            operator
            for operator in quantization.operators
            if any(re.search(pattern, layer) for layer in operator.layers)
        ]
        if not named:
            layers = dict.fromkeys(
                layer for operator in quantization.operators for layer in operator.layers
            )
            raise UserError(
                f"int8_selective.float_layers: {pattern} names no layer; the layers are "
                f"{', '.join(layers)}"
            )
        for operator in named:
            quantization.leave_in_float(operator)


SCHEME = Scheme(
    kind="int8_selective",
    words="int8 weights and activations but for named layers",
    backend="litert_quantizer",
    Settings=Settings,
    section=("calibration_examples",),
    tell=_tell,
)
