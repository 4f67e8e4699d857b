"""Files that other converters write: each command does its work on them, or refuses in words."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from components.common.errors import UserError
from components.common.lite.model_files import read_model_file, write_model_file
from components.common.tasks.image.normalization import Normalization
from components.tools.attach import attach
from components.tools.bench import bench
from components.tools.compare import compare
from components.tools.inspect import inspect
from components.tools.pictures import list_pictures
from components.tools.shrink import shrink
from tests.builders.int8_models import CLASSES, SIZE, build_int8_classifier, draw_examples
from tests.builders.tflite_models import build_classifier

NORMALIZATION = Normalization()
Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of five classes, their labels, and a sound model to compare with."""
    root = tmp_path_factory.mktemp("strange")
    for number, pixels in enumerate(draw_examples(40).astype(np.int16) + 128):
        place = root / "pictures" / f"class {number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number:02}.png")
    (root / "labels.txt").write_text("".join(f"class {number}\n" for number in range(CLASSES)))
    (root / "sound.tflite").write_bytes(build_int8_classifier())
    return root


def change(data: bytes, edit: Change) -> bytes:
    """Returns a file with its tables changed."""
    file = read_model_file(data)
    edit(file.tables)
    return write_model_file(file, size_hint=len(data))


def _forget_names(model: Any) -> None:
    model.signatureDefs = None
    for tensor in model.subgraphs[0].tensors:
        tensor.name = None


def _open_batch(model: Any) -> None:
    graph = model.subgraphs[0]
    for number in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[number]
        tensor.shapeSignature = [-1, *tensor.shape[1:]]


def _share_scales(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        quantization = tensor.quantization
        if quantization is not None and len(quantization.scale) > 1:
            quantization.scale = [float(max(quantization.scale))]
            quantization.zeroPoint = [0]


def _quantize_as_tensorflow_1(model: Any) -> None:
    """Makes bytes unsigned, about a zero point of 128."""
    _share_scales(model)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if tensor.type == schema.TensorType.INT8:
            tensor.type = schema.TensorType.UINT8
            tensor.quantization.zeroPoint = [int(tensor.quantization.zeroPoint[0]) + 128]
            buffer = model.buffers[tensor.buffer]
            if buffer.data is not None:
                buffer.data = buffer.data ^ np.uint8(128)
    for operator in graph.operators:
        source, weights, bias = (graph.tensors[number] for number in operator.inputs)
        bias.quantization.scale = [source.quantization.scale[0] * weights.quantization.scale[0]]


def _add_output(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]


def _add_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors.append(copy.deepcopy(graph.tensors[graph.inputs[0]]))
    graph.inputs = [*graph.inputs, len(graph.tensors) - 1]


def _add_graph(model: Any) -> None:
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))


def _use_tensorflows_operator(model: Any) -> None:
    code = model.operatorCodes[-1]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexErf"
    last = model.subgraphs[0].operators[-1]
    last.builtinOptions, last.builtinOptionsType = None, 0


def _add_operator_without_inputs(model: Any) -> None:
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = "Nothing", 1
    operator.opcodeIndex, operator.outputs = len(model.operatorCodes), []
    model.operatorCodes.append(code)
    model.subgraphs[0].operators.append(operator)


def _name(value: object) -> str:
    if isinstance(value, bytes):
        return "int8" if value == INT8 else "float"
    return getattr(value, "__name__", "").strip("_")


INTERFACE = "expected a model with one input and one output"
SIGNED = "MediaPipe runs models with float32 or uint8"
LOAD = "LiteRT cannot load the model"
INT8, FLOAT = build_int8_classifier(), build_classifier(size=SIZE, classes=CLASSES)


@pytest.mark.parametrize(
    ("edit", "data", "refusals"),
    [
        (_forget_names, INT8, {"attach": SIGNED}),
        pytest.param(_open_batch, INT8, {"attach": SIGNED}, marks=pytest.mark.slow),
        pytest.param(_share_scales, INT8, {"attach": SIGNED}, marks=pytest.mark.slow),
        pytest.param(
            _quantize_as_tensorflow_1, INT8, {"shrink": "no int8 weights"}, marks=pytest.mark.slow
        ),
        pytest.param(_forget_names, FLOAT, {"shrink": "no int8 weights"}, marks=pytest.mark.slow),
        (_open_batch, FLOAT, {"shrink": "no int8 weights"}),
        pytest.param(
            _add_graph,
            INT8,
            {"attach": SIGNED, "shrink": "expected a model of one graph, found 2"},
            marks=pytest.mark.slow,
        ),
        (_add_output, INT8, dict.fromkeys(("compare", "attach", "shrink"), INTERFACE)),
        (_add_input, INT8, dict.fromkeys(("compare", "attach", "shrink"), INTERFACE)),
        (
            _use_tensorflows_operator,
            FLOAT,
            dict.fromkeys(("bench", "compare", "attach", "shrink"), LOAD),
        ),
        (
            _add_operator_without_inputs,
            INT8,
            {"attach": SIGNED} | dict.fromkeys(("bench", "compare", "shrink"), LOAD),
        ),
    ],
    ids=_name,
)
def test_commands_work_on_a_strange_file_or_refuse_it_in_words(
    edit: Change, data: bytes, refusals: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strange.tflite"
    path.write_bytes(change(data, edit))
    pictures = list_pictures(folder / "pictures", None)
    commands: dict[str, Callable[[], object]] = {
        "inspect": lambda: inspect(path),
        "bench": lambda: bench([path], threads=[1], runs=20, max_seconds=1),
        "compare": lambda: compare(
            folder / "sound.tflite", path, pictures, normalization=NORMALIZATION
        ),
        "attach": lambda: attach(path, folder / "labels.txt", mean=0, std=1),
        "shrink": lambda: shrink(path, path, pictures, bits=6, normalization=NORMALIZATION),
    }
    for name, command in commands.items():
        if (refusal := refusals.get(name)) is None:
            command()
        else:
            with pytest.raises(UserError, match=refusal):
                command()
