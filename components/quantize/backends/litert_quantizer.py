"""The LiteRT quantizer: a float file in, a quantized one out, operator by operator.

Its tool is a `Quantization`: the float file's operators, and what becomes of each. What is told
last of an operator holds.
"""

import contextlib
import dataclasses
import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import Quantizer, qtyping, recipe
from litert_quantizer.calibrator import Calibrator
from litert_quantizer.recipe_manager import RecipeManager
from litert_quantizer.utils.qsv_utils import min_max_update

from components.common.lite.litert import OUTPUT, SIGNATURE
from components.quantize.backends import tflite_converter
from components.quantize.calibration import Calibration
from components.quantize.schemes.scheme import ConversionError

Ranges: TypeAlias = Literal["MIN_MAX_UNIFORM_QUANT", "OCTAV"]
"""How a range of weights is chosen: all that there are, or (C. Sakr et al., Optimal Clipping,
2022) that of the smallest expected error."""

_OPERATION = qtyping.TFLOperationName


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of the float file.

    Attributes:
      scope: the name of its result, by which the quantizer knows it.
      operation: TFLite's name: `CONV_2D`.
      layers: the names of the Keras layers that the converter has fused into it; of the last
        operator, which it names after the whole model, OUTPUT.
      weights: the shape of its constant operand, empty where it has none.
    """

    scope: str
    operation: str
    layers: tuple[str, ...]
    weights: tuple[int, ...]


class Quantization:
    """What becomes of a float file; every operator stays in float32 until something is told.

    Args:
      data: a `.tflite` file as TensorFlow's converter writes it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._quantizer = Quantizer(bytearray(data))
        self._examples: Calibration | None = None
        self.operators = tuple(_read_operators(data))

    def keep_weights(self, bits: int) -> None:
        """Keeps all weights as integers, which are widened before they are used."""
        self._quantizer.add_weight_only_config(".*", _OPERATION.ALL_SUPPORTED, bits)

    def compute_in_integers(self, examples: Calibration) -> None:
        """Computes all operators in int8, but takes and gives float32.

        Args:
          examples: from which activations take their ranges.
        """
        self._examples = examples
        self._quantizer.add_static_config(".*", _OPERATION.ALL_SUPPORTED, 8, 8)
        for end in (_OPERATION.INPUT, _OPERATION.OUTPUT):
            self._leave(".*", end)

    def narrow_weights(self, operator: Operator, bits: int, ranges: Ranges) -> None:
        """Keeps an operator's weights in fewer bits, the activations in int8."""
        self._quantizer.add_static_config(
            _only(operator),
            _OPERATION(operator.operation),
            8,
            bits,
            algorithm_key=getattr(recipe.AlgorithmName, ranges),
        )

    def leave_in_float(self, operator: Operator) -> None:
        self._leave(_only(operator), _OPERATION.ALL_SUPPORTED)

    def _leave(self, scopes: str, operation: Any) -> None:
        self._quantizer.update_quantization_recipe(
            scopes, operation, algorithm_key=recipe.AlgorithmName.NO_QUANTIZE
        )

    def quantize(self) -> bytes:
        """Returns the quantized file."""
        # It draws bars of its progress on stderr.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            # All tensors are kept, because their ranges are asked for.
            warnings.filterwarnings("ignore", r".*experimental_preserve_all_tensors")
            ranges = self._calibrate() if self._quantizer.need_calibration else None
            result = self._quantizer.quantize(
                ranges, enable_progress_bar=False, enable_progress_report=False
            )
        return bytes(result.quantized_model)

    def _calibrate(self) -> dict[str, Any]:
        """Returns the smallest and largest value of each tensor.

        The quantizer's own `calibrate` takes moving averages, which follow the last pictures.
        """
        told = RecipeManager()
        told.load_quantization_recipe(self._quantizer.get_quantization_recipe())
        calibrator = Calibrator(self._data, num_threads=1, qsv_update_func=min_max_update)
        if self._examples is None:
            raise ValueError("there are no examples to calibrate on")
        calibrator.calibrate({SIGNATURE: list(self._examples.tensors())}, told)
        found: dict[str, Any] = calibrator.get_model_qsvs()
        return found


def convert(saved_model: Path, tell: Callable[[Any], None]) -> bytes:
    """Converts a model to float32, then quantizes the file, as `Convert` says."""
    return quantize_file(tflite_converter.convert(saved_model, lambda converter: None), tell)


def quantize_file(data: bytes, tell: Callable[[Any], None]) -> bytes:
    """Quantizes a float file, as TensorFlow's converter writes it.

    Raises:
      ConversionError: the file cannot be quantized as the tool was told.
    """
    quantization = Quantization(data)
    tell(quantization)
    try:
        return quantization.quantize()
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"the LiteRT quantizer failed: {error}") from error


def _only(operator: Operator) -> str:
    # The quantizer ends a scope with a semicolon.
    return f"^{re.escape(operator.scope)};$"


def _read_operators(data: bytes) -> Iterator[Operator]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    (graph,) = model.subgraphs
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    for operator in graph.operators:
        scope = graph.tensors[operator.outputs[0]].name.decode()
        makes_output = operator.outputs[0] in graph.outputs
        constants = (
            tuple(int(size) for size in tensor.shape)
            for tensor in (graph.tensors[index] for index in operator.inputs[1:2])
            if model.buffers[tensor.buffer].data is not None
        )
        yield Operator(
            scope=scope,
            operation=names[_builtin(model.operatorCodes[operator.opcodeIndex])],
            layers=(OUTPUT,) if makes_output else tuple(dict.fromkeys(_layers(scope))),
            weights=next(constants, ()),
        )


def _builtin(code: schema.OperatorCodeT) -> int:
    # Files of older converters have the code in a field of one byte.
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _layers(scope: str) -> Iterator[str]:
    """Yields the layers in a result's name: `net/relu/Relu6;net/conv/Conv2D`."""
    for path in scope.split(";"):
        model, _, rest = path.partition("/")
        if rest:
            yield rest.partition("/")[0]
