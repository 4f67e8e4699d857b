"""Every backbone builds flat, says what it wants to see, and takes its weights."""

import functools
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
from components.common.tasks.image.tuning import identify_weights, local_weights
from components.finetune.config import FinetuneConfig
from components.finetune.fine_tuning import build_model

QUICK = ("small_cnn", "vgg16")


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


@pytest.mark.slow
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


def imagenet(number: int) -> FinetuneConfig:
    return FinetuneConfig(backbone=f"efficientnet_lite{number}", weights="imagenet")


LITE_ROWS = {
    0: (1, 2, 2, 3, 3, 4, 1),
    1: (1, 3, 3, 4, 4, 5, 1),
    2: (1, 3, 3, 4, 4, 5, 1),
}
"""How many blocks each row of EfficientNet-Lite has, as ceil(blocks * depth) gives them."""


def compute_by_hand(tensors, pixels: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """Returns EfficientNet-Lite's feature maps, from PyTorch's tensors and in NumPy alone.

    Args:
      tensors: by PyTorch's names.
      pixels: prepared, [n, h, w, 3].
      rows: how many blocks each row has.
    """

    def convolve(values, name, stride=1):
        kernel = tensors[f"{name}.weight"].astype(np.float64)
        size = kernel.shape[-1]
        short = max((-(-values.shape[1] // stride) - 1) * stride + size - values.shape[1], 0)
        edges = (short // 2, short - short // 2)
        padded = np.pad(values, ((0, 0), edges, edges, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
        windows = windows[:, ::stride, ::stride]
        if "depthwise" in name:
            return np.einsum("nhwcij,cij->nhwc", windows, kernel[:, 0])
        return np.einsum("nhwcij,ocij->nhwo", windows, kernel, optimize=True)

    def normalize(values, name, activate=True):
        gamma, beta, mean, variance = (
            tensors[f"{name}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        values = (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return np.clip(values, 0, 6) if activate else values

    values = normalize(convolve(pixels, "_conv_stem", 2), "_bn0")
    strides = [
        stride if first == 0 else 1
        for stride, count in zip((1, 2, 2, 2, 1, 2, 1), rows, strict=True)
        for first in range(count)
    ]
    for number, stride in enumerate(strides):
        inputs, block = values, f"_blocks.{number}"
        if number > 0:
            values = normalize(convolve(values, f"{block}._expand_conv"), f"{block}._bn0")
        values = normalize(convolve(values, f"{block}._depthwise_conv", stride), f"{block}._bn1")
        values = normalize(convolve(values, f"{block}._project_conv"), f"{block}._bn2", False)
        if stride == 1 and inputs.shape == values.shape:
            values = inputs + values
    return normalize(convolve(values, "_conv_head"), "_bn1")


# The third differs from the first in depth and in width, the second in depth alone.
@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2])
def test_efficientnet_lite_computes_what_its_weights_were_trained_for(number):
    config = imagenet(number)
    path = local_weights(config, Path())
    spec = BACKBONES[config.backbone].input_spec(image(64))
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3))
    expected = compute_by_hand(read_torch_weights(path), pixels, LITE_ROWS[number])
    found = features(build_model(config, spec, 5, weights=str(path)))(pixels.astype(np.float32))
    assert expected.max() > 1
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "size", "parameters", "sees"),
    [
        (0, 224, 3_413_024, {985, 309}),
        (1, 240, 4_189_344, {985, 309}),
        (2, 260, 4_869_168, {309}),
    ],
)
def test_the_packaged_weights_know_what_is_in_a_photograph(number, size, parameters, sees):
    """With ImageNet's own top: a Chinese temple, and a flower (a daisy) with a bee in it."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    config = imagenet(number)
    path = local_weights(config, Path())
    tensors = read_torch_weights(path)
    spec = BACKBONES[config.backbone].input_spec(image(size))
    backbone = features(build_model(config, spec, 5, weights=str(path)))
    assert backbone.count_params() == parameters
    photographs = [
        np.asarray(
            Image.fromarray(photo).resize((size, size), Image.Resampling.BICUBIC), np.float32
        )
        for photo in load_sample_images().images
    ]
    seen = backbone((np.stack(photographs) - spec.offset) * spec.scale).numpy().mean((1, 2))
    logits = seen @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    temple, flower = (set(np.argsort(-row)[:5].tolist()) for row in logits)
    assert {663, 698} <= temple, "monastery, palace"
    assert sees <= flower


@pytest.mark.parametrize(
    "digest", enumerate(["579344248a93e230", "77cc7160d37bebc1", "9656183eaeafe8cb"])
)
def test_the_packaged_weights_are_named_by_their_content(digest):
    number, beginning = digest
    assert identify_weights(imagenet(number)).startswith(beginning)


@functools.cache
def build_lite(number: int) -> keras.Model:
    """Returns an EfficientNet-Lite to be looked at, not to be changed."""
    return build(f"efficientnet_lite{number}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "filters"),
    [
        (0, (16, 24, 40, 80, 112, 192, 320)),
        (1, (16, 24, 40, 80, 112, 192, 320)),
        (2, (16, 24, 48, 88, 120, 208, 352)),
    ],
)
def test_efficientnet_lite_is_scaled_but_for_stem_and_top(number, filters):
    blocks = LITE_ROWS[number]
    model = build_lite(number)
    projections = [layer.filters for layer in model.layers if layer.name.endswith("project_conv")]
    expected = [width for width, count in zip(filters, blocks, strict=True) for _ in range(count)]
    assert projections == expected
    assert model.get_layer("stem_conv").filters == 32
    assert model.get_layer("top_conv").filters == 1280


@pytest.mark.slow
def test_a_missing_tensor_is_named():
    with pytest.raises(KeyError, match="_conv_stem.weight"):
        assign_torch_weights(build_lite(0), {})
