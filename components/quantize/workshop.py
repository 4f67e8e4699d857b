"""What makes the candidates of one model in a task of quantize, and judges them."""

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.data.examples import Labelled
from components.common.data.predictions import Predictions, join_by_id, read_bundle_predictions
from components.common.digests import canonical_json, file_digest
from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.diagnosis import Finding, Tally
from components.common.drift.causes import find_cause
from components.common.drift.tracing import trace_drift
from components.common.lite.file_steps import apply_file_steps
from components.common.lite.inference import predict_examples
from components.common.lite.litert import Classifier
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.models.bundles import load_bundle_model
from components.common.process.machine import usable_cores
from components.common.shell.stage import Task
from components.common.statistics.metrics import predicted_classes
from components.common.tasks.calibration import choose_examples, read_calibration
from components.common.tasks.export import export_of
from components.common.tasks.metadata import metadata_of
from components.common.tasks.reading import device_input, read_examples, read_for
from components.quantize.agreement import EXAMPLES, explain_discord
from components.quantize.config import CandidateConfig
from components.quantize.conversion import convert_model
from components.quantize.repair import Attempt, Made

_TRACED = 32

_CONVERTED: dict[str, bytes] = {}
"""What the last conversion of this process gave, by what it was made of: a search makes several
files of one model under one scheme, which differ in the steps on them, and a conversion takes as
long as an epoch."""


class TaskWorkshop:
    """The `Workshop` of a task: conversions, and looks at the validation split."""

    def __init__(self, task: Task[CandidateConfig], bundle: ModelBundle) -> None:
        self._task, self._bundle = task, bundle
        self._manifest = read_for(DatasetManifest.read(task.inputs["dataset"]), bundle.input)
        self._material = _TrainingExamples(task, self._manifest)
        self._last: tuple[bytes, Predictions] | None = None
        self.conversion_s = 0.0
        """What conversions have taken; 0 where the candidate before left what it needs."""
        self.training_s = 0.0
        """What training on has taken, where that was a remedy."""

    @property
    def most_examples(self) -> int:
        return self._manifest.splits["train"].examples

    @property
    def can_judge(self) -> bool:
        """Whether there are validation examples at all."""
        return self._manifest.splits["validation"].examples > 0

    def make(self, attempt: Attempt) -> Made:
        """Converts the model, puts the file through its steps, and runs it once in LiteRT."""
        scheme, examples = attempt.scheme, None
        if (count := scheme.settings.get("calibration_examples")) is not None:
            examples = self._material.examples(count)
        data = self._convert(attempt, examples)
        data = attach_metadata(data, self._card(attempt, examples))
        data, steps = apply_file_steps(data, attempt.file_steps, self._material)
        with _as_file(data) as path:
            Classifier(path).try_out()
        return Made(attempt=attempt, data=data, steps=steps)

    def _convert(self, attempt: Attempt, examples: npt.NDArray[Any] | None) -> bytes:
        inputs, scheme = dict(self._task.lineage.inputs), attempt.scheme
        made_of = canonical_json([inputs, scheme.model_dump(mode="json"), attempt.retrained])
        if (known := _CONVERTED.get(made_of)) is not None:
            return known
        self._task.events.progress(0, 3, "steps", "loading the model")
        model = self._retrained if attempt.retrained else self._model
        started, spec = time.monotonic(), self._bundle.input
        self._task.events.progress(1, 3, "steps", f"converting to {scheme.kind}")
        data = convert_model(model, spec, scheme.kind, examples, settings=scheme.settings)
        self.conversion_s += time.monotonic() - started
        _CONVERTED.clear()
        _CONVERTED[made_of] = data
        return data

    def judge(self, data: bytes) -> Tally:
        """Compares a file's answers on validation examples with those of its model."""
        found = self._answers(data)
        found_at, expected_at = join_by_id(found, self._expected)
        own, model = _right(found)[found_at], _right(self._expected)[expected_at]
        return Tally(
            examples=len(own), lost=int((model & ~own).sum()), won=int((own & ~model).sum())
        )

    def explain_discord(self, data: bytes) -> str | None:
        """Returns how a file's answers have nothing to do with its model's, None where they have.

        Raises:
          LiteRTError: the file does not run.
        """
        return explain_discord(self._answers(data), self._expected) if self.can_judge else None

    def find(self, data: bytes) -> Finding:
        see = device_input(self._manifest)
        examples = np.stack([see(example) for example in self._judged[:_TRACED]])
        steps = export_of(self._bundle.input).preparation(self._bundle.input)
        return find_cause(trace_drift(self._model, data, examples, preparation=steps))

    @cached_property
    def _model(self) -> Any:
        return load_bundle_model(self._task.inputs["bundle"])

    @cached_property
    def _retrained(self) -> Any:
        from components.quantize.retraining import open_retraining, retrain_for_int8

        session = open_retraining(self._task, self._manifest, self._bundle)
        started = time.monotonic()
        model = retrain_for_int8(session)
        self.training_s = time.monotonic() - started
        return model

    @cached_property
    def _judged(self) -> list[Labelled]:
        return choose_examples(
            read_examples(self._manifest, "validation", self._task.context.data()),
            self._manifest.splits["validation"].examples_per_class,
            EXAMPLES,
        )

    @cached_property
    def _expected(self) -> Predictions:
        return read_bundle_predictions(self._task.inputs["bundle"], "validation")

    def _answers(self, data: bytes) -> Predictions:
        """Returns a file's answers to the validation examples; those of the last file are kept."""
        if self._last is None or self._last[0] != data:
            self._task.events.progress(2, 3, "steps", "comparing its answers with the model's")
            with _as_file(data) as path:
                found = predict_examples(
                    path,
                    self._judged,
                    see=device_input(self._manifest),
                    threads=usable_cores(),
                )
            self._last = data, found
        return self._last[1]

    def _card(self, attempt: Attempt, examples: npt.NDArray[Any] | None) -> ModelCard:
        """Describes the model by content alone, so that code that changed nothing changes nothing.

        The keys of the computations, which code enters, are in the candidate's own lineage.
        """
        id_, bundle, spec = self._task.config.candidate_id, self._bundle, self._manifest.spec
        own = metadata_of(spec)
        lineage: dict[str, object] = {
            "candidate": id_,
            **own.trace_model(bundle.architecture, spec),
            "weights_sha256": file_digest(self._task.inputs["bundle"] / "weights.npz"),
        }
        if examples is not None:
            lineage["calibration_examples"] = len(examples)
            lineage["calibration_sha256"] = hashlib.sha256(examples.tobytes()).hexdigest()
        if attempt.file_steps:
            lineage["file_steps"] = [
                {step.kind: step.settings} if step.settings else step.kind
                for step in attempt.file_steps
            ]
        if attempt.remedy:
            lineage["remedy"] = attempt.remedy
        return ModelCard(
            name=f"{bundle.architecture.name} {id_}",
            description=f"Classifies {own.EXAMPLES} into {len(bundle.class_names)} classes.",
            class_names=bundle.class_names,
            inputs=own.describe_input(spec, self._task.inputs["dataset"]),
            lineage=lineage,
        )


class _TrainingExamples:
    """The `Material` of file steps: what calibration reads, each number of examples read once."""

    def __init__(self, task: Task[CandidateConfig], manifest: DatasetManifest) -> None:
        self._task, self._manifest = task, manifest
        self._read: dict[int, npt.NDArray[Any]] = {}

    def examples(self, count: int) -> npt.NDArray[Any]:
        if count not in self._read:
            storage = self._task.context.data()
            self._read[count] = read_calibration(
                self._manifest, storage, count=count, events=self._task.events
            )
        return self._read[count]


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(data)
        yield path


def _right(predictions: Predictions) -> npt.NDArray[np.bool_]:
    return np.asarray(predicted_classes(predictions.probabilities) == predictions.labels)
