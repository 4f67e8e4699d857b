"""`share` writes what is equal once, and changes nothing that a reader finds."""

import io
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.common.lite.file_steps.share import share_equal_parts
from components.common.lite.litert import Classifier
from components.common.lite.model_files import ModelFileError, read_model_file
from components.common.lite.tflite import inspect_model
from tests.builders.bundles import read_split
from tests.components.conftest import TrainedModel


@pytest.fixture(scope="module")
def shared(
    candidates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Candidate id -> its file after `share`."""
    folder = tmp_path_factory.mktemp("shared")
    for id_, original in candidates.items():
        data = share_equal_parts((original / "model.tflite").read_bytes())
        (folder / f"{id_}.tflite").write_bytes(data)
    return {id_: folder / f"{id_}.tflite" for id_ in candidates}


@pytest.mark.parametrize("id_", ["float32", "dynamic_range", "int8", "pruned-int8"])
def test_predictions_are_the_same_to_the_bit(
    id_: str, candidates: dict[str, Path], shared: dict[str, Path], trained: TrainedModel
) -> None:
    pictures, _, _ = read_split(trained.context, trained.manifest, "test")
    before, after = Classifier(candidates[id_] / "model.tflite"), Classifier(shared[id_])
    for picture in pictures[:100]:
        assert after.classify(picture).tobytes() == before.classify(picture).tobytes()


def test_a_reader_finds_the_same_tables_and_the_same_files(
    candidates: dict[str, Path], shared: dict[str, Path]
) -> None:
    for id_, path in shared.items():
        original = (candidates[id_] / "model.tflite").read_bytes()
        before, after = read_model_file(original), read_model_file(path.read_bytes())
        assert plain(after.tables) == plain(before.tables)
        assert list(after.files.items()) == list(before.files.items())
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(io.BytesIO(original)) as old:
            assert archive.testzip() is None
            assert [each.date_time for each in archive.infolist()] == [
                each.date_time for each in old.infolist()
            ]


def test_equal_vectors_stand_once(candidates: dict[str, Path], shared: dict[str, Path]) -> None:
    before = vectors((candidates["int8"] / "model.tflite").read_bytes())
    after = vectors(shared["int8"].read_bytes())
    contents = {content for _, content in after}
    assert contents == {content for _, content in before}
    assert len(after) == len(contents) < len(before)
    assert shared["int8"].stat().st_size < (candidates["int8"] / "model.tflite").stat().st_size


def test_weights_stay_aligned(shared: dict[str, Path]) -> None:
    for path in shared.values():
        data = path.read_bytes()
        start = np.frombuffer(data, np.uint8).ctypes.data
        model = schema.Model.GetRootAs(data, 0)
        buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
        offsets = [each.DataAsNumpy().ctypes.data - start for each in buffers if each.DataLength()]
        assert len(offsets) > 8
        assert {offset % 16 for offset in offsets} == {0}


def test_once_is_enough(shared: dict[str, Path]) -> None:
    for path in shared.values():
        data = path.read_bytes()
        assert share_equal_parts(data) == data


def test_a_file_that_would_grow_is_left_as_it_is() -> None:
    """One whose weights are not aligned has no equal parts, and needs padding."""
    data = write_model(buffers=[b"\1\2\3", b"\4\5"], builder=flatbuffers.Builder(64))
    assert share_equal_parts(data) is data


def test_tables_with_other_contents_are_not_taken_for_equal() -> None:
    """Two that refer to different vectors at equal distances have the same bytes."""
    contents = [bytes([index]) * 16 for index in range(50)] * 2
    data = share_equal_parts(write_model(buffers=contents))
    model = schema.Model.GetRootAs(data, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    assert [buffer.DataAsNumpy().tobytes() for buffer in buffers] == contents
    assert len({buffer._tab.Pos for buffer in buffers}) == 50, "equal tables stand once, too"
    more = share_equal_parts(write_model(buffers=contents + contents[:50]))
    assert len(more) - len(data) <= 50 * 4 + 16, "fifty more cost their references alone"


@pytest.mark.parametrize("offset", [2, 2**31])
def test_weights_outside_the_flatbuffer_are_refused(offset: int) -> None:
    data = write_model(buffers=[b""], offset=offset)
    with pytest.raises(ModelFileError, match="outside its flatbuffer, as files over 2 GB do"):
        share_equal_parts(data)


def test_what_a_file_is_about_stays(candidates: dict[str, Path], shared: dict[str, Path]) -> None:
    volatile = {"size_bytes", "zipped_bytes", "xz_bytes", "zstd_bytes", "sha256"}
    for id_, path in shared.items():
        before = inspect_model((candidates[id_] / "model.tflite").read_bytes())
        after = inspect_model(path.read_bytes())
        assert after.model_dump(exclude=volatile) == before.model_dump(exclude=volatile)


def plain(value: Any) -> Any:
    """Returns what the schema's objects hold, as values that compare."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if hasattr(value, "__dict__"):
        return {name: plain(each) for name, each in vars(value).items()}
    return value


def vectors(data: bytes) -> set[tuple[int, bytes]]:
    """Returns position and content of each vector of zero points, scales and weights."""
    start = np.frombuffer(data, np.uint8).ctypes.data
    model = schema.Model.GetRootAs(data, 0)
    graph, found = model.Subgraphs(0), []
    for index in range(graph.TensorsLength()):
        quantization = graph.Tensors(index).Quantization()
        if quantization is not None and quantization.ScaleLength():
            found += [quantization.ZeroPointAsNumpy(), quantization.ScaleAsNumpy()]
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    found += [buffer.DataAsNumpy() for buffer in buffers if buffer.DataLength()]
    return {(values.ctypes.data - start, values.tobytes()) for values in found}


def write_model(
    *, buffers: list[bytes], offset: int = 0, builder: flatbuffers.Builder | None = None
) -> bytes:
    """Writes a model of nothing but buffers."""
    builder = builder or flatbuffers.Builder(1024)
    model = schema.ModelT(version=3, subgraphs=[], buffers=[])
    for content in buffers:
        data = np.frombuffer(content, np.uint8)
        model.buffers.append(schema.BufferT(data=data, offset=offset))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
