"""Any backbone as a classifier whose answers mean something, without training it.

The weights are drawn, BatchNorm takes its statistics from pictures, and a linear head is fitted to
what comes of these: classes are tints, which drawn layers carry to the end, since norms shift most
values to where a ReLU lets them pass. Where a single layer reads what a convolution makes, it has
few filters: the graph is whole, and quick.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from components.common.documents.bundle import Architecture, BackboneName
from components.common.keras import keras
from components.common.tasks.image.limits import BACKBONE_LIMITS
from components.common.tasks.image.models.backbones import BACKBONES
from components.common.tasks.image.models.classifier import build_classifier
from components.common.tasks.image.models.narrowing import narrow_model
from components.compress.channels.groups import find_groups
from tests.builders.bundles import prepare, read_split, write_bundle
from tests.builders.compression import Dense
from tests.builders.synthetic import run_context, write_dataset


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A bundle with its data set, and the model that it holds."""

    dense: Dense
    model: Any


def write_backbone(
    folder: Path, backbone: BackboneName, *, filters: int = 16, **built: float
) -> Drawn:
    """Writes a data set of tints, and the bundle of a classifier that tells them apart.

    Args:
      folder: where both are written, and the data root.
      backbone: of the classifier.
      filters: the most that a convolution has which a single layer reads.
      built: the backbone's width and depth.
    """
    context = run_context(folder)
    manifest = write_dataset(
        context,
        folder / "dataset",
        examples={"train": 60, "validation": 30, "test": 30},
        size=max(32, BACKBONE_LIMITS[backbone].min_image_size),
        channels=3,
        tinted=True,
    )
    spec, classes = BACKBONES[backbone].input_spec(manifest.spec), len(manifest.class_names)
    keras.utils.set_random_seed(0)
    whole = Architecture(backbone=backbone, **built)
    model = build_classifier(whole, spec, classes)
    wide = [group.producer for group in find_groups(model) if group.channels > filters]
    architecture = whole.model_copy(update={"filters": dict.fromkeys(wide, filters)})
    model = narrow_model(model, architecture.filters)
    pictures, labels, _ = read_split(context, manifest, "train")
    _fit(model, prepare(pictures, spec), np.eye(classes)[labels])
    write_bundle(model, folder / "bundle", context, manifest, architecture=architecture, spec=spec)
    return Drawn(Dense(context, folder / "dataset", folder / "bundle"), model)


def _fit(model: Any, pictures: Any, answers: Any) -> None:
    """Gives BatchNorm statistics, and the head the weights of a ridge regression."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
        layer.beta.assign_add(np.ones(layer.beta.shape))
    model(pictures, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    features = keras.Model(model.input, model.get_layer("pool").output)(pictures).numpy()
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3 * features.std()
    x, y = (features - mean) / spread, 6 * (answers - answers.mean(axis=0))
    gram = x @ x.T + 0.3 * len(x) * np.eye(len(x))
    kernel = x.T @ np.linalg.solve(gram, y) / spread[:, None]
    model.get_layer("head").set_weights([kernel, -mean @ kernel])
