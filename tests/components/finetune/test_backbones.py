"""Every backbone builds flat, says what it wants to see, and takes its weights."""

from pathlib import Path

import numpy as np
import pytest

from components.common.data.torch_weights import read_torch_weights
from components.common.documents.image import ImageSpec
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.models.pretrained import assign_torch_weights
from components.finetune.config import FinetuneConfig
from components.finetune.fine_tuning import build_model
from components.finetune.weights import identify_weights, local_weights

QUICK = ("small_cnn", "efficientnet_lite0", "vgg16")
IMAGENET = FinetuneConfig(backbone="efficientnet_lite0", weights="imagenet")


def image(size: int, channels: int = 3) -> ImageSpec:
    return ImageSpec(
        height=size, width=size, channels=channels, encoding="png", fit="crop", background="#ffffff"
    )


def build(name: str, *, weights: str = "none", **changes) -> keras.Model:
    keras.backend.clear_session()
    limits = BACKBONE_LIMITS[name]
    spec = BACKBONES[name].input_spec(image(limits.min_image_size))
    config = FinetuneConfig(backbone=name, weights=weights, **changes)
    return build_model(config, spec, 5, weights=weights)


def features(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, model.get_layer("pool").input)


def test_the_registry_and_the_limits_name_the_same_backbones():
    assert set(BACKBONES) == set(BACKBONE_LIMITS)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BACKBONES],
)
def test_a_backbone_is_flat_and_takes_its_smallest_picture(name):
    model = build(name)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert not any("rescaling" in layer.name.lower() for layer in model.layers)
    size = BACKBONE_LIMITS[name].min_image_size
    outputs = model(np.zeros((2, size, size, 3), np.float32)).numpy()
    assert outputs.shape == (2, 5)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_building_twice_gives_the_same_layer_names():
    first, second = build("mobilenet_v2"), build("mobilenet_v2")
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def test_input_specs_are_those_the_weights_were_trained_with():
    pixels = np.array([[[[0.0, 100.0, 255.0]]]], np.float32)
    for name, module in (("mobilenet_v2", "mobilenet_v2"), ("inception_v3", "inception_v3")):
        spec = BACKBONES[name].input_spec(image(96))
        expected = getattr(keras.applications, module).preprocess_input(pixels.copy())
        np.testing.assert_allclose((pixels - spec.offset) * spec.scale, expected, atol=1e-5)
    spec = BACKBONES["vgg16"].input_spec(image(96))
    reversed_ = keras.applications.vgg16.preprocess_input(pixels.copy())[..., ::-1]
    np.testing.assert_allclose((pixels - spec.offset) * spec.scale, reversed_, atol=1e-4)
    assert BACKBONES["small_cnn"].input_spec(image(8, 1)).offset == (127.5,)


def test_width_scales_small_cnn():
    thin, plain = build("small_cnn", width=0.5), build("small_cnn")
    assert 3.5 < plain.count_params() / thin.count_params() < 4.5
    with pytest.raises(ValueError, match="width 0.5: the backbone vgg16 has but one"):
        FinetuneConfig(backbone="vgg16", width=0.5)


def test_vgg16_from_a_file_takes_red_green_blue(tmp_path: Path):
    original = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = str(tmp_path / "vgg16.h5")
    original.save_weights(path)
    picture = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    expected = original(keras.applications.vgg16.preprocess_input(picture.copy()))
    spec = BACKBONES["vgg16"].input_spec(image(32))
    found = features(build("vgg16", weights=path))((picture - spec.offset) * spec.scale)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("content", ["text", "another backbone"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, content):
    path = tmp_path / "weights.h5"
    if content == "text":
        path.write_text("no weights")
    else:
        build("small_cnn", width=0.5).save_weights(path)
    with pytest.raises(UserError, match="does not fit the backbone small_cnn"):
        build("small_cnn", weights=str(path))


@pytest.mark.slow
def test_the_packaged_weights_know_what_is_in_a_photograph():
    """With ImageNet's own top: a Chinese temple, and a flower with a bee in it."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    path = local_weights(IMAGENET, Path())
    tensors = read_torch_weights(path)
    spec = BACKBONES["efficientnet_lite0"].input_spec(image(224))
    backbone = features(build_model(IMAGENET, spec, 5, weights=str(path)))
    assert backbone.count_params() == 3_413_024
    photographs = [
        np.asarray(Image.fromarray(photo).resize((224, 224), Image.Resampling.BICUBIC), np.float32)
        for photo in load_sample_images().images
    ]
    seen = backbone((np.stack(photographs) - spec.offset) * spec.scale).numpy().mean((1, 2))
    logits = seen @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    temple, flower = (set(np.argsort(-row)[:5].tolist()) for row in logits)
    assert {663, 698} <= temple, "monastery, palace"
    assert {985, 309} <= flower, "daisy, bee"


def test_the_packaged_weights_are_named_by_their_content():
    assert identify_weights(IMAGENET).startswith("579344248a93e230")


def test_a_missing_tensor_is_named():
    with pytest.raises(KeyError, match="_conv_stem.weight"):
        assign_torch_weights(build("efficientnet_lite0"), {})
