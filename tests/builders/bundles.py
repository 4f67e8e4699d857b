"""A small trained model as finetune and prune would hand it on, without running them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.common.data.arrays import write_arrays
from components.common.digests import tree_digest
from components.common.documents.bundle import Architecture, LayerSparsity, ModelBundle
from components.common.documents.image import InputSpec
from components.common.documents.models import ModelEntry, Models
from components.common.documents.variant import DENSE
from components.common.run_context import RunContext
from components.common.shell.store import Store
from components.common.tasks.image.device import decode_picture
from components.common.tasks.reading import read_examples
from tests.builders.artifacts import make_record
from tests.builders.models import pruning
from tests.builders.synthetic import CLASS_NAMES, LINEAGE

OFFSET, SCALE = 127.0, 1 / 128
ARCHITECTURE = Architecture(backbone="small_cnn", width=0.25)


def read_split(context: RunContext, manifest: Any, split: str) -> tuple[Any, Any, Any]:
    """Returns pictures (uint8 [n, h, w, c]), labels (int64 [n]) and ids (bytes [n])."""
    examples = list(read_examples(manifest, split, context.data()))
    pictures = [decode_picture(e.image, channels=manifest.spec.channels) for e in examples]
    ids = np.array([example.id.encode() for example in examples])
    return np.stack(pictures), np.array([example.label for example in examples]), ids


def input_spec(height: int, width: int, channels: Any) -> InputSpec:
    return InputSpec(
        height=height,
        width=width,
        channels=channels,
        offset=(OFFSET,) * channels,
        scale=(SCALE,) * channels,
    )


def normalize(pictures: Any) -> Any:
    return (pictures.astype(np.float32) - OFFSET) * np.float32(SCALE)


def prepare(pictures: Any, spec: InputSpec) -> Any:
    """Returns pictures as a model takes them: float32, of the same shape."""
    return (pictures.astype(np.float32) - np.float32(spec.offset)) * np.float32(spec.scale)


def train_model(pictures: Any, labels: Any, *, epochs: int = 2, learning_rate: float = 1e-3) -> Any:
    """Trains a conv net with zero-padded convolutions, which a shifted offset would break."""
    from components.common.keras import keras
    from components.common.tasks.image.models.classifier import build_classifier

    keras.utils.set_random_seed(1)
    model = build_classifier(ARCHITECTURE, input_spec(*pictures.shape[1:]), len(CLASS_NAMES))
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
    model.fit(normalize(pictures), labels, batch_size=32, epochs=epochs, verbose=0)
    return model


def zero_smallest(model: Any, sparsity: float) -> tuple[LayerSparsity, ...]:
    """Prunes a model's kernels by magnitude, in place; the first and the last stay dense."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    report = []
    for layer in layers:
        kernel = layer.kernel.numpy()
        pruned = layer not in (layers[0], layers[-1])
        if pruned:
            kernel[np.abs(kernel) < np.quantile(np.abs(kernel), sparsity)] = 0
            layer.kernel.assign(kernel)
        zeros = int((kernel == 0).sum())
        report.append(
            LayerSparsity(layer=layer.name, parameters=kernel.size, zeros=zeros, pruned=pruned)
        )
    return tuple(report)


def unbalance(model: Any, factor: float) -> None:
    """Makes a channel small and the weights that read it great: only rounding feels that."""
    norm, conv = model.get_layer("block1_norm"), model.get_layer("block2_conv")
    gamma, beta, *moving = norm.get_weights()
    gamma[0] /= factor
    beta[0] /= factor
    norm.set_weights([gamma, beta, *moving])
    (kernel,) = conv.get_weights()
    kernel[:, :, 0] *= factor
    conv.set_weights([kernel])


def write_bundle(
    model: Any,
    directory: Path,
    context: RunContext,
    manifest: Any,
    *,
    sparsity: tuple[LayerSparsity, ...] = (),
    architecture: Architecture = ARCHITECTURE,
    spec: InputSpec | None = None,
) -> ModelBundle:
    """Writes a model bundle with the model's predictions on the data set."""
    from components.common.models.bundles import save_weights

    image = manifest.spec
    spec = spec or input_spec(image.height, image.width, image.channels)
    arrays = {}
    for split in ("validation", "test"):
        pictures, labels, ids = read_split(context, manifest, split)
        probabilities = model.predict(prepare(pictures, spec), verbose=0)
        arrays |= {
            f"{split}_ids": ids,
            f"{split}_labels": labels,
            f"{split}_probabilities": probabilities,
        }
    directory.mkdir(parents=True, exist_ok=True)
    save_weights(model, directory)
    write_arrays(directory / "predictions.npz", arrays)
    bundle = ModelBundle(
        class_names=CLASS_NAMES,
        architecture=architecture,
        input=spec,
        parameters=model.count_params(),
        history=(),
        best_epoch=1,
        steps=(pruning(sparsity),) if sparsity else (),
        lineage=LINEAGE,
    )
    bundle.write(directory)
    return bundle


def store_models(context: RunContext, folder: Path, bundles: Mapping[str, Path]) -> Path:
    """Puts bundles into the store, as finetune and compress leave them there.

    Args:
      context: of the run.
      folder: where the document of the models is written.
      bundles: by their variants' ids: the root, and what was made from it.

    Returns:
      The folder.
    """
    models = Models(entries=())
    for id_, bundle in bundles.items():
        stage = "finetune" if id_ == DENSE else "compress"
        record = make_record(stage, config={}, key=id_, output_digest=tree_digest(bundle))
        Store(context.data()).put(record, bundle, lambda path: True, replace=True)
        entry = ModelEntry(
            id=id_,
            parent=None if id_ == DENSE else DENSE,
            stored=record.stored,
            bundle=ModelBundle.read(bundle),
        )
        models = models.with_entry(entry)
    folder.mkdir(parents=True)
    models.write(folder)
    return folder
