"""A bundle's weights: what is kept comes back, and what a stranger left there runs nothing."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from components.common.data.arrays import read_arrays, write_arrays
from components.common.documents.bundle import Architecture, BackboneName, ModelBundle
from components.common.documents.image import InputSpec
from components.common.errors import DamagedError
from components.common.keras import keras
from components.common.models.bundles import (
    WEIGHTS_FILE,
    frozen_layers,
    load_bundle_model,
    save_weights,
)
from components.common.tasks.image.models.classifier import build_classifier
from tests.builders.synthetic import LINEAGE

SPEC = InputSpec(height=16, width=16, channels=3, offset=(0.0,) * 3, scale=(1.0,) * 3)
SMALL = Architecture(backbone="small_cnn", width=0.25, dropout=0.2, dropout_seed=7)
QUICK = ("small_cnn",)
MORE_BLOCKS = ("efficientnet_lite1", "efficientnet_lite2")
"""They are Lite0 with more blocks of the same layers."""


def write_bundle(
    folder: Path, architecture: Architecture = SMALL, spec: InputSpec = SPEC, frozen: int = 0
) -> Any:
    """Writes a bundle with random weights, but for the predictions; returns the model."""
    keras.utils.set_random_seed(1)
    model = build_classifier(architecture, spec, 5)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=each.shape) for each in model.get_weights()])
    for layer in model.layers[:frozen]:
        layer.trainable = False
    folder.mkdir(exist_ok=True)
    save_weights(model, folder)
    ModelBundle(
        class_names=tuple("abcde"),
        architecture=architecture,
        input=spec,
        parameters=model.count_params(),
        frozen_layers=frozen_layers(model),
        history=(),
        best_epoch=1,
        lineage=LINEAGE,
    ).write(folder)
    return model


@pytest.mark.parametrize(
    "backbone",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in get_args(BackboneName)
        if name not in MORE_BLOCKS
    ],
)
def test_a_model_comes_back_whatever_was_built_before(tmp_path: Path, backbone: str) -> None:
    side = 75 if backbone == "inception_v3" else 32
    spec = SPEC.model_copy(update={"height": side, "width": side})
    model = write_bundle(tmp_path, Architecture(backbone=backbone), spec, frozen=4)
    loaded = load_bundle_model(tmp_path)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    for mine, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert frozen_layers(loaded) == frozen_layers(model) != ()


def test_a_narrowed_model_comes_back(tmp_path: Path) -> None:
    narrow = SMALL.model_copy(update={"filters": {"block2_conv": 8, "block3_conv": 16}})
    model = write_bundle(tmp_path, narrow, frozen=3)
    loaded = load_bundle_model(tmp_path)
    assert [w.shape for w in loaded.get_weights()] == [w.shape for w in model.get_weights()]
    pictures = np.random.default_rng(1).normal(size=(4, 16, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded(pictures), model(pictures))
    assert frozen_layers(loaded) == frozen_layers(model) != ()


def test_an_architecture_that_nothing_was_cut_of_says_nothing_of_filters(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    assert "filters" not in (tmp_path / ModelBundle.file_name).read_text()


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"filters": {"block2_conv": 17}}, "block2_conv can have 1 to 16 filters, not 17"),
        ({"filters": {"head": 2}}, "'head' is no convolution"),
        ({"filters": {"block2_conv": 8}}, WEIGHTS_FILE),
        ({"filters": {"block2_conv": 0}}, "greater than or equal to 1"),
        ({"backbone": "vgg16", "shrink": 8}, "describes a graph that there is not"),
        ({"shrink": 9}, "less than or equal to 8"),
    ],
)
def test_a_graph_that_a_stranger_described_is_refused(
    tmp_path: Path, architecture: dict[str, Any], message: str
) -> None:
    write_bundle(tmp_path)
    bundle = ModelBundle.read(tmp_path)
    stranger = bundle.architecture.model_copy(update=architecture)
    bundle.model_copy(update={"architecture": stranger}).write(tmp_path)
    with pytest.raises(DamagedError, match=message):
        load_bundle_model(tmp_path)


def test_a_model_that_sees_smaller_pictures_comes_back(tmp_path: Path) -> None:
    model = write_bundle(tmp_path, SMALL.model_copy(update={"shrink": 2}))
    pictures = np.random.default_rng(1).normal(size=(4, 16, 16, 3)).astype(np.float32)
    loaded = load_bundle_model(tmp_path)
    np.testing.assert_array_equal(loaded(pictures), model(pictures))
    means = pictures.reshape(4, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(loaded.get_layer("shrink")(pictures), means, atol=1e-5)


def test_dropout_is_that_of_the_architecture(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    dropout = load_bundle_model(tmp_path).get_layer("dropout")
    assert (dropout.rate, dropout.seed) == (0.2, 7)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_bundle(tmp_path / name)
    one, other = (tmp_path / name / WEIGHTS_FILE for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


class Evil:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def write_keras_file_that_runs(path: Path, mark: Path) -> None:
    """Writes a Keras model with a layer of code, which Keras runs where it loads the file."""
    image = keras.layers.Input((16, 16, 3))
    code = f"lambda x: [__import__('pathlib').Path({str(mark)!r}).touch(), x][1]"
    model = keras.Model(image, keras.layers.Lambda(eval(code))(image))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(path, save_format="h5")
    mark.unlink()


def swap_in_a_keras_model(path: Path, mark: Path) -> None:
    write_keras_file_that_runs(path, mark)


def swap_in_pickled_objects(path: Path, mark: Path) -> None:
    objects = np.array([Evil(mark)], object)
    np.savez(path, **{"head/kernel": objects})


def swap_in_a_pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(mark)))


def lose_a_weight(path: Path, mark: Path) -> None:
    arrays = read_arrays(path)
    del arrays["head/bias"]
    write_arrays(path, arrays)


def add_a_weight(path: Path, mark: Path) -> None:
    write_arrays(path, read_arrays(path) | {"head/more": np.zeros(3, np.float32)})


def change_a_shape(path: Path, mark: Path) -> None:
    arrays = read_arrays(path)
    arrays["head/bias"] = arrays["head/bias"].reshape(1, -1)
    write_arrays(path, arrays)


def change_a_type(path: Path, mark: Path) -> None:
    arrays = read_arrays(path)
    arrays["head/bias"] = arrays["head/bias"].astype(np.int32)
    write_arrays(path, arrays)


def compress(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            small = name == "head/bias.npy"
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED)


def repeat_a_member(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("head/bias.npy", archive.read("head/bias.npy"))


def promise_terabytes(path: Path, mark: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head/bias.npy", header.getvalue() + bytes(20))


def grow(path: Path, mark: Path) -> None:
    with path.open("ab") as file:
        file.truncate(20 << 30)


def cut(path: Path, mark: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def flip_a_bit(path: Path, mark: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "attack",
    [
        swap_in_a_keras_model, swap_in_pickled_objects, swap_in_a_pickle, lose_a_weight,
        add_a_weight, change_a_shape, change_a_type, compress, repeat_a_member,
        promise_terabytes, grow, cut, flip_a_bit,
    ],
)  # fmt: skip
def test_other_weights_are_refused_and_run_nothing(
    tmp_path: Path, attack: Callable[[Path, Path], None]
) -> None:
    write_bundle(tmp_path / "bundle")
    attack(tmp_path / "bundle" / WEIGHTS_FILE, tmp_path / "mark")
    with pytest.raises(DamagedError, match=WEIGHTS_FILE):
        load_bundle_model(tmp_path / "bundle")
    assert not (tmp_path / "mark").exists()


def test_a_keras_model_beside_the_weights_is_not_looked_at(tmp_path: Path) -> None:
    model = write_bundle(tmp_path / "bundle")
    mark, stranger = tmp_path / "mark", tmp_path / "bundle" / "model.keras"
    write_keras_file_that_runs(stranger, mark)
    keras.models.load_model(stranger, safe_mode=True)
    assert mark.exists(), "Keras itself runs it"
    mark.unlink()
    loaded = load_bundle_model(tmp_path / "bundle")
    assert not mark.exists()
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
