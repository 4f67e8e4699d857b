"""PyTorch's two file formats, written here without PyTorch, and files that mean harm."""

import collections
import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.common.data.torch_weights import read_torch_weights
from components.common.errors import UserError
from components.common.tasks.image.tuning import local_weights
from components.finetune.config import FinetuneConfig

IMAGENET = FinetuneConfig(backbone="efficientnet_lite0", weights="imagenet")

KINDS = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "u1": "Byte", "u2": "BFloat16"}


class Storage:
    """What a pickle refers to by a persistent id."""

    def __init__(self, key: str, kind: str, elements: int) -> None:
        self.key, self.kind, self.elements = key, kind, elements


class Tensor:
    """Pickled as PyTorch pickles a tensor."""

    def __init__(self, storage, shape, strides, offset=0) -> None:
        self.arguments = storage, offset, shape, strides, False, collections.OrderedDict()

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        if isinstance(item, Storage):
            element = getattr(sys.modules["torch"], f"{item.kind}Storage")
            return "storage", element, item.key, "cpu", item.elements
        return None


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Gives the pickler what it takes names from; nothing that reads knows of it."""
    utils, module = types.ModuleType("torch._utils"), types.ModuleType("torch")
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        function = types.FunctionType((lambda *arguments: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(utils, name, function)
    for kind in KINDS.values():
        name = f"{kind}Storage"
        setattr(module, name, type(name, (), {"__module__": "torch", "__qualname__": name}))
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def pickled(item, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(item)
    return buffer.getvalue()


def write_zip(
    path: Path,
    tensors,
    storages: dict[str, bytes],
    *,
    order: bytes | None = b"little",
    protocol: int = 2,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        content = tensors if isinstance(tensors, bytes) else pickled(tensors, protocol)
        archive.writestr("archive/data.pkl", content)
        if order is not None:
            archive.writestr("archive/byteorder", order)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", b"3\n")
    return path


def write_legacy(path: Path, tensors, storages: dict[str, bytes], elements: int) -> Path:
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    parts = [0x1950A86A20F9469CFC6C, 1001, machine, tensors, list(storages)]
    content = b"".join(map(pickled, parts))
    for data in storages.values():
        content += struct.pack("<q", elements) + data
    path.write_bytes(content)
    return path


def refuse(path: Path, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read_torch_weights(path)
    assert str(path) in str(caught.value)


VALUES = np.arange(12, dtype="<f4")


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("order", [b"little", None])
def test_a_file_of_the_zip_format_is_read(tmp_path, order, protocol):
    state = collections.OrderedDict(
        kernel=Tensor(Storage("0", "Float", 12), (3, 4), (4, 1)),
        count=Tensor(Storage("1", "Long", 1), (), ()),
    )
    state._metadata = {"": {"version": 1}}
    storages = {"0": VALUES.tobytes(), "1": np.array([7], "<i8").tobytes()}
    path = write_zip(tmp_path / "w.pth", state, storages, order=order, protocol=protocol)
    tensors = read_torch_weights(path)
    assert list(tensors) == ["kernel", "count"]
    np.testing.assert_array_equal(tensors["kernel"], VALUES.reshape(3, 4))
    assert tensors["count"] == 7


def test_views_of_one_storage_are_read_by_their_offsets_and_strides(tmp_path):
    storage = Storage("0", "Float", 12)
    state = {
        "turned": Tensor(storage, (4, 3), (1, 4)),
        "rest": Tensor(storage, (2, 2), (2, 1), offset=8),
        "none": Tensor(storage, (0, 5), (5, 1)),
    }
    tensors = read_torch_weights(write_zip(tmp_path / "w.pth", state, {"0": VALUES.tobytes()}))
    np.testing.assert_array_equal(tensors["turned"], VALUES.reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["rest"], [[8, 9], [10, 11]])
    assert tensors["none"].shape == (0, 5)
    legacy = write_legacy(tmp_path / "l.pth", state, {"0": VALUES.tobytes()}, 12)
    for name, values in read_torch_weights(legacy).items():
        np.testing.assert_array_equal(values, tensors[name])


@pytest.mark.parametrize(("order", "sign"), [(b"little", "<"), (b"big", ">")])
@pytest.mark.parametrize("kind", ["f4", "f8", "f2", "i8", "u1"])
def test_elements_of_every_kind_and_order_are_read(tmp_path, kind, order, sign):
    values = np.array([1, 2, 250], f"{sign}{kind}")
    state = {"t": Tensor(Storage("0", KINDS[kind], 3), (3,), (1,))}
    path = write_zip(tmp_path / "w.pth", state, {"0": values.tobytes()}, order=order)
    np.testing.assert_array_equal(read_torch_weights(path)["t"], [1, 2, 250])


@pytest.mark.parametrize(("order", "sign"), [(b"little", "<"), (b"big", ">")])
def test_bfloat16_becomes_float32(tmp_path, order, sign):
    values = np.array([1.5, -2.0, 0.15625], np.float32)
    halves = (values.view(np.uint32) >> 16).astype(f"{sign}u2")
    state = {"t": Tensor(Storage("0", "BFloat16", 3), (3,), (1,))}
    path = write_zip(tmp_path / "w.pth", state, {"0": halves.tobytes()}, order=order)
    found = read_torch_weights(path)["t"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


GREEDY = {
    "a stride of 0": ((1 << 40,), (0,), 0),
    "a stride beyond all numbers": ((1,), (1 << 70,), 0),
    "two strides of 0": ((1 << 20, 1 << 20), (0, 0), 0),
    "a stride too long": ((2,), (1 << 40,), 0),
    "an offset": ((1,), (1,), 12),
    "a negative offset": ((1,), (1,), -1),
    "a negative stride": ((3,), (-1,), 5),
    "fewer strides than lengths": ((3, 4), (4,), 0),
    "text": (("3",), (1,), 0),
    "a truth": ((True,), (1,), 0),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("greed", GREEDY)
def test_a_tensor_that_asks_for_more_than_its_storage_has_is_refused(tmp_path, greed, legacy):
    shape, strides, offset = GREEDY[greed]
    state = {"t": Tensor(Storage("0", "Float", 12), shape, strides, offset)}
    storages = {"0": VALUES.tobytes()}
    if legacy:
        path = write_legacy(tmp_path / "w.pth", state, storages, 12)
    else:
        path = write_zip(tmp_path / "w.pth", state, storages)
    refuse(path, "storage|shorter|longer|large")


def test_a_storage_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    state = {"t": Tensor(Storage("0", "Float", 1 << 40), (3,), (1,))}
    refuse(write_zip(tmp_path / "w.pth", state, {"0": VALUES.tobytes()}), "storage 0 has 48 bytes")
    refuse(write_legacy(tmp_path / "l.pth", state, {"0": VALUES.tobytes()}, 1 << 40), "ends early")


def test_a_storage_of_two_sizes_is_refused(tmp_path):
    state = {n: Tensor(Storage("0", "Float", n_), (3,), (1,)) for n, n_ in (("a", 12), ("b", 11))}
    refuse(write_zip(tmp_path / "w.pth", state, {"0": VALUES.tobytes()}), "two different ones")


def test_a_compressed_archive_is_refused(tmp_path):
    """A thousand times as large as it looks."""
    state = {"t": Tensor(Storage("0", "Float", 1 << 20), (3,), (1,))}
    zeros = {"0": bytes(4 << 20)}
    path = write_zip(tmp_path / "w.pth", state, zeros, compression=zipfile.ZIP_DEFLATED)
    refuse(path, "entries are compressed")


def test_an_archive_whose_entries_claim_more_than_it_holds_is_refused(tmp_path):
    state = {"t": Tensor(Storage("0", "Float", 12), (3,), (1,))}
    path = write_zip(tmp_path / "w.pth", state, {"0": VALUES.tobytes()})
    content = path.read_bytes()
    # Both sizes of the last two entries, as the directory states them.
    sizes = struct.pack("<II", 48, 48)
    assert content.count(sizes) == 2
    huge = struct.pack("<II", 1 << 30, 1 << 30)
    path.write_bytes(content[::-1].replace(sizes[::-1], huge[::-1], 1)[::-1])
    refuse(path, "overlap|storage 0 has")


def test_an_archive_with_endless_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("components.common.data.torch_weights._ENTRIES", 50)
    state = {"t": Tensor(Storage("0", "Float", 12), (3,), (1,))}
    storages = {str(number): VALUES.tobytes() for number in range(48)}
    refuse(write_zip(tmp_path / "w.pth", state, storages), "more than 50 entries")


def test_an_archive_that_lacks_a_storage_or_the_names_is_refused(tmp_path):
    state = {"t": Tensor(Storage("0", "Float", 12), (3,), (1,))}
    refuse(write_zip(tmp_path / "w.pth", state, {}), "has no data/0")
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    refuse(tmp_path / "other.pth", "has no data.pkl")


def test_a_mapping_of_something_else_than_tensors_is_refused(tmp_path):
    refuse(write_zip(tmp_path / "w.pth", {"epoch": 3}, {}), "its epoch is no tensor")


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def nested(depth: int) -> bytes:
    """Returns a pickle of a mapping whose key takes 2 ** depth steps to hash."""
    doubled = b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(depth))
    return b"\x80\x02}(" + b")" + doubled + b"Nu."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Evil(), 2), "it asks for"),
        (pickle.dumps({"t": Evil()}, 4), "it asks for builtins.exec"),
        (pickle.dumps({"t": eval}, 2), "it asks for"),
        (nested(60), "key of a mapping is no text"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "empty stack"),  # A memo of 16 GB, in C's unpickler.
        (b"\x80\x02N\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.", "expected"),  # Bytes without end.
        (b"\x80\x02u.", "mark out of place"),
        (b"\x80\x02N)R.", "calls what is no function"),
        (b"\x80\x02N", "exhausted"),
        (b"nonsense", "not a PyTorch weights file"),
    ],
)
def test_a_pickle_that_means_harm_is_refused_and_not_run(tmp_path, content, reason):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    refuse(path, reason)
    refuse(write_zip(tmp_path / "zip.pth", content, {}), f"{reason}|data.pkl has")


def test_a_pickle_without_end_is_refused(tmp_path, monkeypatch):
    for module in ("pickles", "torch_weights"):
        monkeypatch.setattr(f"components.common.data.{module}.LARGEST", 1000)
    content = b"\x80\x02" + b"}" * 2000
    (tmp_path / "w.pth").write_bytes(content)
    refuse(tmp_path / "w.pth", "more than 1,000 bytes")
    refuse(write_zip(tmp_path / "zip.pth", content, {}), "data.pkl has 2,002 bytes")


def test_every_mutation_of_a_file_is_read_or_refused_in_a_sentence(tmp_path):
    state = {"t": Tensor(Storage("0", "Float", 12), (3, 4), (4, 1))}
    files = [
        write_zip(tmp_path / "zip.pth", state, {"0": VALUES.tobytes()}).read_bytes(),
        write_legacy(tmp_path / "old.pth", state, {"0": VALUES.tobytes()}, 12).read_bytes(),
    ]
    random = np.random.default_rng(3)
    path = tmp_path / "mutant.pth"
    for number in range(600):
        mutant = bytearray(files[number % 2])
        for place in random.integers(len(mutant), size=random.integers(1, 4)):
            mutant[place] = random.integers(256)
        path.write_bytes(mutant)
        try:
            tensors = read_torch_weights(path)
        except UserError:
            continue
        assert sum(values.size for values in tensors.values()) <= 12


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PK\x03\x04", "no newline"), (b"", "is empty"), (pickle.dumps(1), "no magic")],
)
def test_a_file_that_is_no_weights_file_is_refused(tmp_path, content, reason):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    refuse(path, reason)


def test_a_truncated_weights_file_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(local_weights(IMAGENET, Path()).read_bytes()[:-100])
    refuse(path, "not a PyTorch weights file")


def test_the_pickles_written_here_are_of_the_instructions_that_pytorch_writes():
    state = collections.OrderedDict(t=Tensor(Storage("0", "Float", 12), (3, 4), (4, 1)))
    names = {opcode.name for opcode, *_ in pickletools.genops(pickled(state))}
    assert {"GLOBAL", "BINPERSID", "REDUCE", "SETITEM", "TUPLE"} <= names
