"""Groups of channels: found in every backbone, and never where something else reads them."""

from functools import cache
from typing import get_args

import numpy as np
import pytest

from components.common.documents.bundle import Architecture, BackboneName
from components.common.documents.image import InputSpec
from components.common.keras import keras
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.models.classifier import build_classifier
from components.compress.channels.groups import Group, find_groups
from components.compress.channels.surgery import cut_channels

MORE_BLOCKS = ("efficientnet_lite1", "efficientnet_lite2")
"""They are Lite0 with more blocks of the same layers."""
layers = keras.layers
pytestmark = pytest.mark.xdist_group("groups")  # A backbone is built once.


@cache
def build(backbone):
    side = max(32, BACKBONE_LIMITS[backbone].min_image_size)
    spec = InputSpec(height=side, width=side, channels=3, offset=(0.0,) * 3, scale=(1.0,) * 3)
    keras.utils.set_random_seed(1)
    model = build_classifier(Architecture(backbone=backbone), spec, 5)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def producers(backbone):
    return [group.producer for group in find_groups(build(backbone))]


def test_a_plain_chain_is_groups_up_to_the_head():
    assert find_groups(build("small_cnn")) == (
        Group("block1_conv", ("block1_norm", "block1_relu"), "block2_conv", 32, "block2_norm"),
        Group("block2_conv", ("block2_norm", "block2_relu"), "block3_conv", 64, "block3_norm"),
        Group(
            "block3_conv", ("block3_norm", "block3_relu", "pool", "dropout"), "head", 128, "head"
        ),
    )


@pytest.mark.slow
def test_of_inverted_residuals_the_expanded_channels_are_groups():
    found = {group.producer: group for group in find_groups(build("efficientnet_lite0"))}
    expanded = [f"block{number}_expand_conv" for number in range(1, 16)]
    # Where no residual is added, what is projected is read by the next expansion alone.
    narrow = ["block0_project_conv", "block15_project_conv"]
    assert set(found) == {"stem_conv", "top_conv", *expanded, *narrow}
    group = found["block5_expand_conv"]
    assert group.consumer == "block5_project_conv" and group.channels == 240
    assert [name.removeprefix("block5_") for name in group.followers] == [
        "expand_norm", "expand_relu", "depthwise_conv", "depthwise_norm", "depthwise_relu"
    ]  # fmt: skip
    assert found["top_conv"].consumer == "head"


@pytest.mark.slow
def test_of_mobilenet_the_padded_blocks_are_groups_too():
    found = {group.producer: group for group in find_groups(build("mobilenet_v2"))}
    assert {f"block_{number}_expand" for number in range(1, 17)} < set(found)
    assert "block_3_pad" in found["block_3_expand"].followers
    assert not any(
        "project" in name for name in set(found) - {"expanded_conv_project"} - {"block_16_project"}
    )


@pytest.mark.slow
def test_of_bottlenecks_the_inner_channels_are_groups():
    names = producers("resnet50_v2")
    assert len(names) == 32 and all(name.endswith(("_1_conv", "_2_conv")) for name in names)
    found = {group.producer: group for group in find_groups(build("resnet50_v2"))}
    assert "conv2_block3_2_pad" in found["conv2_block3_1_conv"].followers
    assert found["conv2_block3_2_conv"].offset == "conv2_block3_3_conv"


@pytest.mark.parametrize(
    "backbone",
    [
        name if name == "small_cnn" else pytest.param(name, marks=pytest.mark.slow)
        for name in get_args(BackboneName)
        if name not in MORE_BLOCKS
    ],
)
def test_channels_that_nobody_listens_to_can_be_cut_without_a_trace(backbone):
    model = keras.models.clone_model(build(backbone))
    model.set_weights(build(backbone).get_weights())
    groups, random = find_groups(model), np.random.default_rng(3)
    kept = {}
    for group in groups:
        kept[group.producer] = np.sort(random.permutation(group.channels)[: group.channels // 2])
        consumer = model.get_layer(group.consumer)
        kernel = consumer.kernel.numpy()
        deaf = np.setdiff1d(np.arange(group.channels), kept[group.producer])
        kernel[..., deaf, :] = 0
        consumer.kernel.assign(kernel)
    pictures = random.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(pictures, training=True)  # With norms of their own, drawn layers silence one another.
    narrow = cut_channels(model, groups, kept)
    assert narrow.count_params() < model.count_params()
    logits = [keras.Model(m.input, m.get_layer("head").output)(pictures) for m in (model, narrow)]
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-3, atol=1e-4 * np.ptp(logits[0]))
    assert np.ptp(logits[0].numpy(), axis=0).max() > 0


def chain(*between, ends=None):
    """Returns a convolution, what is done to its channels, and one that reads them."""
    pixels = layers.Input((8, 8, 3), name="pixels")
    made = layers.Conv2D(16, 3, padding="same", name="made")(pixels)
    features = made
    for layer in between:
        features = layer(features)
    read = layers.Conv2D(4, 1, name="read")(features)
    outputs = layers.GlobalAveragePooling2D(name="pool")(read)
    return keras.Model(pixels, [outputs, ends(made)] if ends else outputs)


def found_in(model):
    return [group.producer for group in find_groups(model) if group.producer == "made"]


def test_what_keeps_channels_apart_carries_them_on():
    assert found_in(chain(layers.ReLU(), layers.MaxPooling2D(), layers.DepthwiseConv2D(3))) == [
        "made"
    ]


@pytest.mark.parametrize(
    "between",
    [
        [layers.Softmax()],
        [layers.Activation("softmax")],
        [layers.DepthwiseConv2D(3, depth_multiplier=2)],
        [layers.LayerNormalization()],
        [layers.BatchNormalization(axis=1)],
        [layers.Conv2D(8, 1, groups=4), layers.ReLU()],
    ],
    ids=lambda between: type(between[0]).__name__,
)
def test_what_mixes_channels_ends_the_search(between):
    assert found_in(chain(*between)) == []


@pytest.mark.parametrize(
    "ends",
    [
        layers.GlobalAveragePooling2D(),
        lambda made: layers.Add()([made, made]),
        lambda made: made,
    ],
)
def test_channels_that_something_else_reads_are_no_group(ends):
    assert found_in(chain(layers.ReLU(), ends=ends)) == []


@pytest.mark.parametrize("shared", ["norm", "read"])
def test_a_layer_that_reads_something_else_as_well_ends_the_search(shared):
    pixels = layers.Input((8, 8, 3))
    made, other = (layers.Conv2D(16, 1, name=name)(pixels) for name in ("made", "other"))
    norms = [layers.BatchNormalization() for _ in range(2)]
    reads = [layers.Conv2D(4, 1) for _ in range(2)]
    both = norms if shared == "norm" else reads
    both[1] = both[0]
    outputs = [read(norm(x)) for read, norm, x in zip(reads, norms, (made, other), strict=True)]
    assert found_in(keras.Model(pixels, outputs)) == []


def test_calls_of_other_models_are_not_looked_at():
    model = chain(layers.ReLU(name="relu"))
    layers.Conv2D(3, 1)(model.get_layer("made").output)
    keras.models.clone_model(model, clone_function=lambda layer: layer)
    assert found_in(model) == ["made"]
