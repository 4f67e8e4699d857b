"""A small fine-tuned model, and its variants through the real stage compress."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from components.common.data.predictions import read_bundle_predictions
from components.common.documents.bundle import Architecture, BackboneName, ModelBundle
from components.common.documents.variant import StepSpec
from components.common.models.bundles import save_weights
from components.common.run_context import RunContext
from components.common.tasks.graphs import build_classifier, input_spec
from components.compress import stage
from components.compress.config import VariantConfig
from components.compress.steps import STEPS
from components.finetune import stage as finetune_stage
from components.finetune.config import FinetuneConfig
from tests.builders.synthetic import LINEAGE, run_context, write_dataset


@dataclasses.dataclass(frozen=True)
class Dense:
    """A trained model, what it was trained on, and the data root of both."""

    context: RunContext
    dataset: Path
    bundle: Path

    def compress(self, output: Path, *steps: tuple[str, dict[str, Any]]) -> ModelBundle:
        """Makes a variant by steps: their kinds, and what they are told."""
        specs = [
            StepSpec(kind=kind, settings=STEPS[kind].Settings(**told).model_dump(mode="json"))
            for kind, told in steps
        ]
        stage.STAGE.run(
            dataset=self.dataset,
            parent=self.bundle,
            config=VariantConfig(steps=tuple(specs)).to_json(),
            context=self.context.to_json(),
            bundle=output,
        )
        return ModelBundle.read(output)

    def fresh(self) -> "Dense":
        """Returns the same model in a run that takes no answer from the store."""
        context = self.context.model_copy(update={"fresh": True})
        return dataclasses.replace(self, context=context)


def fine_tune_dense(folder: Path, *, width: float = 0.5, epochs: int = 4, **dataset: Any) -> Dense:
    """Trains small_cnn at a width, on a data set that `write_dataset` is told of."""
    context = run_context(folder)
    write_dataset(context, folder / "dataset", **dataset)
    config = FinetuneConfig(
        backbone="small_cnn", width=width, epochs=epochs, optimizer={"learning_rate": 3e-3}
    )
    finetune_stage.STAGE.run(
        dataset=folder / "dataset",
        config=config.to_json(),
        context=context.to_json(),
        bundle=folder / "bundle",
    )
    return Dense(context, folder / "dataset", folder / "bundle")


def draw_dense(folder: Path, backbone: BackboneName) -> tuple[Dense, Any]:
    """Returns a classifier of random weights and a few pictures of 32 px for it, and the model."""
    context = run_context(folder)
    manifest = write_dataset(
        context,
        folder / "dataset",
        examples={"train": 24, "validation": 6, "test": 6},
        size=32,
        channels=3,
    )
    architecture = Architecture(backbone=backbone)
    spec = input_spec(architecture, manifest.spec)
    model = build_classifier(architecture, spec, len(manifest.class_names))
    (folder / "bundle").mkdir()
    save_weights(model, folder / "bundle")
    ModelBundle(
        class_names=manifest.class_names,
        architecture=architecture,
        input=spec,
        parameters=model.count_params(),
        history=(),
        best_epoch=0,
        lineage=LINEAGE,
    ).write(folder / "bundle")
    return Dense(context, folder / "dataset", folder / "bundle"), model


def accuracy(bundle: Path) -> float:
    """Returns the accuracy on the test split."""
    found = read_bundle_predictions(bundle, "test")
    return float(np.mean(found.probabilities.argmax(1) == found.labels))
