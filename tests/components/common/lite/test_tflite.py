"""What is read out of `.tflite` files."""

from pathlib import Path

import pytest
from ai_edge_litert.interpreter import Interpreter

from components.common.lite.tflite import inspect_model


def test_operators_are_those_that_litert_would_run(candidates: dict[str, Path]) -> None:
    for folder in candidates.values():
        path = folder / "model.tflite"
        interpreter = Interpreter(model_path=str(path))
        # The delegate that LiteRT puts over the graph is none of the file's operators.
        names = [
            op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"
        ]
        operators = inspect_model(path.read_bytes()).operators
        assert operators == {name: names.count(name) for name in sorted(set(names))}


def test_zeros_are_those_of_the_weights_that_litert_holds(candidates: dict[str, Path]) -> None:
    path = candidates["pruned-float32"] / "model.tflite"
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    index = {t["name"]: t["index"] for t in interpreter.get_tensor_details()}
    found = inspect_model(path.read_bytes()).sparsity
    assert len(found) == 4
    for tensor in found:
        values = interpreter.get_tensor(index[tensor.tensor])
        assert tensor.elements == values.size
        assert tensor.zeros == int((values == 0).sum())
        assert tensor.dtype == values.dtype.name


@pytest.mark.parametrize("data", [b"", b"not a model", b"PK\3\4" + b"\0" * 100])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="TFL3 is missing"):
        inspect_model(data)
