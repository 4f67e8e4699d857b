"""What the tests of several components share: one small trained model, made once."""

import dataclasses
from pathlib import Path

import pytest

from components.common.documents.bundle import ModelBundle
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.run_context import RunContext
from components.quantize.config import QuantizeConfig
from tests.builders.bundles import (
    read_split,
    store_models,
    train_model,
    write_bundle,
    zero_smallest,
)
from tests.builders.synthetic import run_context, write_dataset

CALIBRATION_EXAMPLES = 60
QUANTIZATION = QuantizeConfig(calibration_examples=CALIBRATION_EXAMPLES).with_candidates(
    ("dense", "pruned")
)


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A data set that lacks black and white, and a dense and a pruned model of it."""

    context: RunContext
    manifest: DatasetManifest
    dataset: Path
    dense: Path
    pruned: Path
    models: Path

    def bundle(self, source: str) -> ModelBundle:
        return ModelBundle.read(getattr(self, source))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("trained")
    context = run_context(folder)
    examples = {"train": 240, "validation": 30, "test": 300}
    manifest = write_dataset(context, folder / "dataset", examples=examples, low=60, high=187)
    pictures, labels, _ = read_split(context, manifest, "train")
    model = train_model(pictures, labels)
    write_bundle(model, folder / "dense", context, manifest)
    sparsity = zero_smallest(model, 0.5)
    write_bundle(model, folder / "pruned", context, manifest, sparsity=sparsity)
    bundles = {"dense": folder / "dense", "pruned": folder / "pruned"}
    models = store_models(context, folder / "models", bundles)
    return TrainedModel(context, manifest, folder / "dataset", *bundles.values(), models)


@pytest.fixture(scope="session")
def candidates(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Candidate id -> the candidate's directory, made by the quantize stage."""
    from components.quantize import stage

    folder = tmp_path_factory.mktemp("candidates")
    ids = [candidate.id for candidate in QUANTIZATION.candidates]
    for id_ in ids:
        stage.run(
            dataset=trained.dataset,
            models=trained.models,
            candidate_id=id_,
            config=QUANTIZATION.to_json(),
            context=trained.context.to_json(),
            candidate=folder / id_,
        )
        assert Candidate.read(folder / id_).failure is None
    return {id_: folder / id_ for id_ in ids}
