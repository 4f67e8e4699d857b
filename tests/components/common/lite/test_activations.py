"""What kernels see, held against what LiteRT computes from it."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.common.lite import activations
from components.common.lite.activations import observe_kernels
from components.common.lite.kernels import find_kernels, read_bias
from components.common.lite.litert import LiteRTError
from components.common.lite.model_files import read_model_file
from tests.builders.int8_models import build_int8_classifier, draw_examples

EXAMPLES = draw_examples(12)


def outputs_of(data: bytes, source_of: int) -> np.ndarray:
    """Returns what the operator with a given kernel made of the examples: real, [n, rows]."""
    tables = read_model_file(data).tables
    (operator,) = (
        each for each in tables.subgraphs[0].operators if int(each.inputs[1]) == source_of
    )
    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    made = int(operator.outputs[0])
    scale, zero_point = interpreter.get_tensor_details()[made]["quantization"]
    rows = []
    for example in EXAMPLES:
        interpreter.set_tensor(image["index"], example[np.newaxis])
        interpreter.invoke()
        values = interpreter.get_tensor(made).astype(float)
        rows.append((values - zero_point).reshape(-1, values.shape[-1]) * scale)
    return np.concatenate(rows)


@pytest.mark.parametrize("padding", [schema.Padding.SAME, schema.Padding.VALID])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_mean_and_products_are_those_of_what_litert_computes(
    stride: int, dilation: int, padding: int
) -> None:
    data = build_int8_classifier(stride=stride, dilation=dilation, padding=padding)
    tables = read_model_file(data).tables
    kernels = find_kernels(tables)
    assert [kernel.codes.shape for kernel in kernels][:3] == [(16, 27), (24, 144), (24, 24)]
    seen = observe_kernels(data, kernels, EXAMPLES)
    for kernel in kernels:
        own = seen[kernel.weights]
        made = outputs_of(data, kernel.weights)
        weights = kernel.codes * kernel.scales[:, np.newaxis]
        bias = read_bias(tables, kernel)
        tolerance = 0.03 * made.std()
        np.testing.assert_allclose(weights @ own.mean + bias, made.mean(axis=0), atol=tolerance)
        if len(own.products) > 1:
            continue  # Of the dense layer, whose products are known in part.
        (products,) = own.products
        spread = np.sqrt(np.einsum("rc,cd,rd->r", weights, products, weights))
        expected = np.sqrt(np.square(made - bias).mean(axis=0))
        np.testing.assert_allclose(spread, expected, rtol=0.03, atol=tolerance)


def test_a_wide_kernel_has_products_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = build_int8_classifier()
    kernels = find_kernels(read_model_file(data).tables)[1:2]
    ((whole,),) = (each.products for each in observe_kernels(data, kernels, EXAMPLES).values())
    monkeypatch.setattr(activations, "_MOST_TOGETHER", 60)
    (parts,) = (each.products for each in observe_kernels(data, kernels, EXAMPLES).values())
    assert [len(part) for part in parts] == [48, 48, 48]
    for number, part in enumerate(parts):
        span = slice(48 * number, 48 * number + 48)
        np.testing.assert_allclose(part, whole[span, span])


def test_examples_of_another_size_are_refused() -> None:
    data = build_int8_classifier()
    kernels = find_kernels(read_model_file(data).tables)
    with pytest.raises(LiteRTError, match="cannot run the model"):
        observe_kernels(data, kernels, EXAMPLES[:, :5])
