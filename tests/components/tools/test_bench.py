"""`bench` on small models of known relations."""

import math
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.common.errors import UserError
from components.common.lite.litert import LiteRTError
from components.tools.bench import bench, make_values
from tests.builders.tflite_models import ModelBuilder, Operator, build_classifier


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.tflite", build_classifier(size=32, filters=4))


def test_a_model_of_sixteen_times_the_work_takes_several_times_as_long(
    small: Path, tmp_path: Path
) -> None:
    large = write(tmp_path / "large.tflite", build_classifier(size=128, filters=4))
    found = bench([small, large], threads=[1], runs=40, max_seconds=60)
    assert [model.file for model in found.models] == [str(small), str(large)]
    (reference,), (latency,) = (model.latencies for model in found.models)
    assert reference.ratio is None
    assert latency.ratio is not None
    assert latency.ratio.value == pytest.approx(latency.p50_ms / reference.p50_ms)
    assert 4 < latency.ratio.low <= latency.ratio.value <= latency.ratio.high


def test_each_number_of_threads_is_measured_by_itself(small: Path) -> None:
    found = bench([small, small], threads=[1, 2], runs=20, max_seconds=60)
    for model in found.models:
        assert [(one.threads, one.runs) for one in model.latencies] == [(1, 20), (2, 20)]
    assert [latency.ratio is None for latency in found.models[1].latencies] == [False, False]


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("float32", 0, 1), ("uint8", 0, 255), ("int8", -128, 127), ("int32", 0, 0), ("bool", 0, 0)],
)
def test_inputs_are_made_up_within_what_their_type_means(
    dtype: str, low: float, high: float
) -> None:
    values = make_values([1, 50, 50, 3], np.dtype(dtype).type, np.random.default_rng(0))
    assert (values.shape, values.dtype) == ((1, 50, 50, 3), np.dtype(dtype))
    assert values.min() >= low and values.max() <= high
    assert (len(np.unique(values)) > 200) == (high > low)


def test_texts_are_not_made_up() -> None:
    with pytest.raises(LiteRTError, match="can't be made up"):
        make_values([1], np.bytes_, np.random.default_rng(0))


def test_a_model_of_integer_inputs_is_timed(tmp_path: Path) -> None:
    build = ModelBuilder()
    tokens = build.tensor("tokens", (1, 4), schema.TensorType.INT32)
    more = build.tensor("more", (1, 4), schema.TensorType.INT32)
    sums = build.tensor("sums", (1, 4), schema.TensorType.INT32)
    options = schema.AddOptionsT()
    kind = schema.BuiltinOptions.AddOptions
    build.operator(Operator.ADD, [tokens, more], [sums], options, kind)
    path = write(tmp_path / "sums.tflite", build.finish(tokens, sums, more))
    found = bench([path], threads=[1], runs=20, max_seconds=math.inf)
    assert found.models[0].latencies[0].p50_ms > 0


@pytest.mark.parametrize("data", [b"", b"not a model", build_classifier()[:900]])
def test_what_is_no_model_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "broken.tflite", data)
    with pytest.raises(UserError, match=r"broken\.tflite: LiteRT cannot load the model"):
        bench([path], threads=[1], runs=20, max_seconds=60)


def test_a_missing_file_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.tflite: there is no such file"):
        bench([small, tmp_path / "none.tflite"], threads=[1], runs=20, max_seconds=60)
