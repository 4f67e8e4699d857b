"""Fewer filters: the rest of the graph follows, and no other graph comes of it."""

import numpy as np
import pytest

from components.common.documents.bundle import Architecture
from components.common.documents.image import InputSpec
from components.common.keras import keras
from components.common.tasks.image.models.classifier import build_classifier
from components.common.tasks.image.models.narrowing import NarrowingError, narrow_model

SPEC = InputSpec(height=32, width=32, channels=3, offset=(0.0,) * 3, scale=(1.0,) * 3)


def build(filters, backbone="small_cnn", **built):
    return build_classifier(Architecture(backbone=backbone, filters=filters, **built), SPEC, 5)


def test_what_follows_a_narrowed_convolution_follows_it():
    whole, narrowed = build({}), build({"block1_conv": 8, "block3_conv": 24})
    shapes = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in narrowed.layers}
    assert shapes["block1_conv"] == [(3, 3, 3, 8)]
    assert shapes["block1_norm"] == [(8,)] * 4
    assert shapes["block2_conv"] == [(3, 3, 8, 64)]
    assert shapes["block3_conv"] == [(3, 3, 64, 24)]
    assert shapes["head"] == [(24, 5), (5,)]
    assert [layer.name for layer in narrowed.layers] == [layer.name for layer in whole.layers]
    assert [layer.name for layer in whole.layers if layer.weights] == list(
        dict.fromkeys(weight.name.partition("/")[0] for weight in narrowed.weights)
    )


def test_everything_else_of_a_narrowed_graph_is_that_of_the_whole_one():
    whole, narrowed = build({}), build({"block2_conv": 63})
    for one, other in zip(whole.layers, narrowed.layers, strict=True):
        assert type(one) is type(other)
        before, after = one.get_config(), other.get_config()
        assert (
            before.pop("filters", None) == after.pop("filters", None) or one.name == "block2_conv"
        )
        assert before == after
    assert narrowed.get_layer("block2_conv").filters == 63
    assert (narrowed.name, narrowed.input_names) == (whole.name, whole.input_names)


@pytest.mark.slow
def test_a_depthwise_kernel_follows_the_width_that_comes_to_it():
    narrowed = build({"block3_expand_conv": 16, "top_conv": 40}, "efficientnet_lite0", depth=0.1)
    assert tuple(narrowed.get_layer("block3_depthwise_conv").weights[0].shape) == (5, 5, 16, 1)
    assert tuple(narrowed.get_layer("block3_project_conv").kernel.shape) == (1, 1, 16, 40)
    assert narrowed(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"block9_conv": 8}, "'block9_conv' is no convolution of small_cnn"),
        ({"head": 4}, "'head' is no convolution"),
        ({"block1_relu": 4}, "'block1_relu' is no convolution"),
        ({"block1_conv": 33}, "block1_conv can have 1 to 32 filters, not 33"),
        ({"block1_conv": 0}, "block1_conv can have 1 to 32 filters, not 0"),
    ],
)
def test_filters_that_a_graph_can_not_have_are_refused(filters, message):
    model = build({})
    with pytest.raises(NarrowingError, match=message):
        narrow_model(model, filters)


@pytest.mark.parametrize("count", [1, 8])
def test_a_cut_through_a_sum_is_refused(count):
    pixels = keras.layers.Input((8, 8, 3), name="pixels")
    short = keras.layers.Conv2D(16, 1, name="short")(pixels)
    long = keras.layers.Conv2D(16, 3, padding="same", name="long")(short)
    model = keras.Model(pixels, keras.layers.Add(name="sum")([short, long]), name="residual")
    with pytest.raises(NarrowingError, match=r"sum would add|fit no graph of residual"):
        narrow_model(model, {"long": count})
