"""Backbones at their full width, through conversion.

tests/components/test_backbones.py takes narrow ones of other kinds through every scheme;
EfficientNet-Lite1 and Lite2 are Lite0 with more blocks of the same layers.
"""

from pathlib import Path

import numpy as np
import pytest

from components.common.documents.bundle import BackboneName
from components.common.documents.image import ImageSpec
from components.common.keras import keras
from components.common.lite.litert import Classifier
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.models.backbones import BACKBONES
from components.quantize.conversion import convert_model

KINDS: tuple[BackboneName, ...] = ("mobilenet_v2", "inception_v3", "vgg16")


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_backbone_converts_with_raw_pixels_in(name: BackboneName, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    size = max(64, BACKBONE_LIMITS[name].min_image_size)
    spec = BACKBONES[name].input_spec(
        ImageSpec(
            height=size, width=size, channels=3, encoding="png", fit="crop", background="#ffffff"
        )
    )
    pixels = keras.Input((size, size, 3))
    features = BACKBONES[name].build(pixels, 1.0, 1.0)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(pixels, keras.layers.Dense(5, activation="softmax")(pooled))
    pictures = np.random.default_rng(0).integers(60, 188, (8, size, size, 3)).astype(np.uint8)
    prepared = (pictures - np.array(spec.offset)) * np.array(spec.scale)
    expected = model.predict(prepared.astype(np.float32), verbose=0)
    # int8 refuses itself where it is not integer throughout or changes the pixels.
    for scheme, tolerance in (("float32", 1e-5), ("int8", 0.1)):
        path = tmp_path / f"{scheme}.tflite"
        calibration = span_range(pictures) if scheme == "int8" else None
        path.write_bytes(convert_model(model, spec, scheme, calibration))
        classifier = Classifier(path)
        own = np.stack([classifier.classify(picture) for picture in pictures])
        np.testing.assert_allclose(own, expected, atol=tolerance)
