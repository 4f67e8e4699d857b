"""The files of a model bundle: the Keras model and its predictions.

Both are byte for byte the same for the same weights.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents import DatasetManifest, InputSpec, Split
from components.common.input_pipeline import identified_batches
from components.common.keras import keras
from components.common.predictions import FILE_NAME, write_arrays
from components.common.storage import Storage
from components.common.training import inference

MODEL_FILE = "model.keras"
PREDICTED_SPLITS: tuple[Split, ...] = ("validation", "test")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # The earliest date that a zip can carry.


def save_model(model: Any, directory: Path) -> None:
    """Writes `model.keras`, without the dates that Keras puts in."""
    path = directory / MODEL_FILE
    model.save(path, save_format="keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    del metadata["date_saved"]
    members["metadata.json"] = json.dumps(metadata).encode()
    _write_zip(path, members)


def load_bundle_model(directory: Path) -> Any:
    """Loads a bundle's Keras model; code that a model file may carry is refused."""
    return keras.models.load_model(directory / MODEL_FILE, compile=False, safe_mode=True)


def save_predictions(
    model: Any,
    directory: Path,
    manifest: DatasetManifest,
    storage: Storage,
    *,
    spec: InputSpec,
    scratch: Path,
) -> None:
    """Writes `predictions.npz`: what the model says of validation and test."""
    predict = inference(model)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for split in PREDICTED_SPLITS:
        batches = identified_batches(manifest, split, storage, spec=spec, scratch=scratch)
        parts = [(ids.numpy(), labels.numpy(), predict(inputs)) for inputs, labels, ids in batches]
        ids, labels, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        arrays[f"{split}_ids"] = ids.astype(np.bytes_)
        arrays[f"{split}_labels"] = labels
        arrays[f"{split}_probabilities"] = probabilities
    write_arrays(directory / FILE_NAME, arrays)


def _write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), members[name])
