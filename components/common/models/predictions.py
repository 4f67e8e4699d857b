"""A model bundle's predictions: what the model says of the examples that it did not learn from."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.arrays import write_arrays
from components.common.data.predictions import FILE_NAME
from components.common.documents.bundle import ModelInput
from components.common.documents.dataset import DatasetManifest, Split
from components.common.process.events import Events
from components.common.storage import Storage
from components.common.training.input_pipeline import identified_batches
from components.common.training.loop import inference

PREDICTED_SPLITS: tuple[Split, ...] = ("validation", "test")


def save_predictions(
    model: Any,
    directory: Path,
    manifest: DatasetManifest,
    storage: Storage,
    *,
    spec: ModelInput,
    scratch: Path,
    events: Events,
) -> None:
    """Writes `predictions.npz`: what the model says of validation and test; `events` is told."""
    predict = inference(model)
    arrays: dict[str, npt.NDArray[Any]] = {}
    done, total = 0, sum(manifest.splits[split].examples for split in PREDICTED_SPLITS)
    for split in PREDICTED_SPLITS:
        batches = identified_batches(manifest, split, storage, spec=spec, scratch=scratch)
        parts = []
        for inputs, labels, ids in batches:
            parts.append((ids.numpy(), labels.numpy(), predict(inputs)))
            done += len(labels)
            events.progress(done, total, "examples", "predicting")
        ids, labels, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        arrays[f"{split}_ids"] = ids.astype(np.bytes_)
        arrays[f"{split}_labels"] = labels
        arrays[f"{split}_probabilities"] = probabilities
    write_arrays(directory / FILE_NAME, arrays)
