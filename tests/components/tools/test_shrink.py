"""`shrink` on a classifier of int8 weights, and pictures in folders of their classes."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.errors import UserError
from components.common.lite.kernels import find_kernels
from components.common.lite.model_files import read_model_file
from components.common.tasks.image.normalization import Normalization
from components.tools.inspect import measure_sizes
from components.tools.pictures import list_pictures
from components.tools.shrink import Smaller, shrink
from tests.builders.int8_models import CLASSES, build_int8_classifier, draw_examples
from tests.builders.tflite_models import build_classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures in five classes, the last class with a single one."""
    root = tmp_path_factory.mktemp("pictures")
    for number, pixels in enumerate(draw_examples(60).astype(np.int16) + 128):
        label = "rare" if number == 0 else f"class {number % (CLASSES - 1)}"
        (root / label).mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(root / label / f"{number:02}.png")
    (root / "class 1" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(build_int8_classifier())
    return path


def run(model: Path, folder: Path, *, bits: int = 6, margin: float | None = None) -> Smaller:
    return shrink(
        model,
        model.with_name("small.tflite"),
        list_pictures(folder, None),
        bits=bits,
        normalization=Normalization(),
        margin=margin,
    )


def test_the_file_packs_better_and_answers_alike(model: Path, folder: Path) -> None:
    made = run(model, folder)
    found = made.found
    assert found.before == measure_sizes(model.read_bytes())
    assert found.after == measure_sizes(made.data)
    assert found.after.zip < 0.85 * found.before.zip
    assert found.after.raw < found.before.raw
    assert found.steps == ("weights snapped to 6 bits", "equal vectors written once")
    assert found.comparison.agreement >= 0.9
    weights = find_kernels(read_model_file(made.data).tables)[1].codes.astype(int)
    assert np.abs(weights).max() <= 31


def test_pictures_that_it_learned_from_are_not_asked(model: Path, folder: Path) -> None:
    found = run(model, folder).found
    comparison = found.comparison
    # Of 61, one in four is learned from; one of all can't be decoded.
    assert comparison.pictures + found.learned_from == 60
    assert comparison.pictures + len(comparison.unreadable) in (46, 47)
    assert [each.file for each in comparison.models] == [
        str(model), str(model.with_name("small.tflite")),
    ]  # fmt: skip


def test_a_margin_is_proven_or_not(model: Path, folder: Path) -> None:
    assert run(model, folder, margin=0.5).found.comparison.proven is True
    assert run(model, folder, margin=0.001).found.comparison.proven is False


@pytest.mark.slow
def test_fewer_bits_pack_better(model: Path, folder: Path) -> None:
    assert run(model, folder, bits=4).found.after.zip < 0.85 * run(model, folder).found.after.zip


def test_a_float_model_is_refused_by_its_name(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(build_classifier(size=12, classes=CLASSES))
    with pytest.raises(UserError, match=r"float\.tflite: the model has no int8 weights to snap"):
        run(path, folder)


def test_too_few_pictures_are_refused(model: Path, folder: Path) -> None:
    few = list_pictures(folder, None)[:19]
    with pytest.raises(UserError, match="19 pictures of 2 classes; expected at least 20"):
        shrink(model, model, few, bits=6, normalization=Normalization())


def test_a_damaged_file_is_refused(model: Path, folder: Path) -> None:
    model.write_bytes(model.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"model\.tflite: "):
        run(model, folder)


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["float32", "int8", "uint8"])
def test_a_model_of_tensorflows_own_converter_packs_a_seventh_better(
    interface: str, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mobilenet.tflite"
    path.write_bytes(convert_mobilenet(interface))
    found = run(path, folder).found
    assert found.after.zip < 0.85 * found.before.zip
    assert found.comparison.agreement >= 0.9


def convert_mobilenet(interface: str) -> bytes:
    """Returns a MobileNetV2 of Keras, of drawn weights, as TensorFlow's users convert one."""
    from components.common.keras import keras, tf

    keras.utils.set_random_seed(0)
    inner = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=CLASSES)
    pixels = keras.Input((96, 96, 3))
    model = keras.Model(pixels, inner(pixels / 127.5 - 1.0))
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 96, 96, 3)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(interface)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of TensorFlow's own code.
        return bytes(converter.convert())
