"""Quantization schemes: what a back end is told, and what must come of it. A module a scheme.

| scheme         | input   | weights          | activations | output  | back end         |
|----------------|---------|------------------|-------------|---------|------------------|
| float32        | float32 | float32          | float32     | float32 | tflite_converter |
| float16        | float32 | float16          | float32     | float32 | tflite_converter |
| dynamic_range  | float32 | int8             | float32     | float32 | tflite_converter |
| int8           | uint8   | int8             | int8        | uint8   | tflite_converter |
| int16x8        | float32 | int8             | int16       | float32 | tflite_converter |
| int8_weights   | float32 | int8             | float32     | float32 | litert_quantizer |
| int8_selective | float32 | int8, or float32 | the same    | float32 | litert_quantizer |
| int4           | float32 | int4, or int8    | int8        | float32 | litert_quantizer |
"""

from collections.abc import Mapping

from components.quantize.schemes import (
    dynamic_range,
    float16,
    float32,
    int4,
    int8,
    int8_selective,
    int8_weights,
    int16x8,
)
from components.quantize.schemes.scheme import Scheme

SCHEMES: Mapping[str, Scheme] = {
    scheme.kind: scheme
    for scheme in (
        float32.SCHEME,
        float16.SCHEME,
        dynamic_range.SCHEME,
        int8.SCHEME,
        int16x8.SCHEME,
        int8_weights.SCHEME,
        int8_selective.SCHEME,
        int4.SCHEME,
    )
}
