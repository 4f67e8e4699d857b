"""Quantization schemes: what the converter is told, and what must come of it. A module a scheme.

| scheme        | input   | weights | output  |
|---------------|---------|---------|---------|
| float32       | float32 | float32 | float32 |
| float16       | float32 | float16 | float32 |
| dynamic_range | float32 | int8    | float32 |
| int8          | uint8   | int8    | uint8   |
"""

from collections.abc import Mapping

from components.quantize.schemes import dynamic_range, float16, float32, int8
from components.quantize.schemes.scheme import Scheme

SCHEMES: Mapping[str, Scheme] = {
    scheme.kind: scheme
    for scheme in (
        float32.SCHEME,
        float16.SCHEME,
        dynamic_range.SCHEME,
        int8.SCHEME,
    )
}
