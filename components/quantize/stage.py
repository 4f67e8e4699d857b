"""quantize: a bundle's Keras model becomes a candidate, or the reason why it cannot."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.digests import file_digest
from components.common.documents.bundle import ModelBundle
from components.common.documents.candidate import Candidate, FileStepResult, SchemeSpec, TFLiteModel
from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import ImageSpec
from components.common.documents.models import Models
from components.common.lite.file_steps import apply_file_steps, describe_step
from components.common.process.machine import usable_cores
from components.common.shell.stage import Stage, Task, execute
from components.common.words.figures import percent
from components.quantize.config import CandidateConfig, QuantizeConfig
from components.quantize.schemes import SCHEMES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from components.common.lite.metadata import ModelCard

MODEL_FILE = "model.tflite"


def run(
    *,
    dataset: Path,
    models: Path,
    candidate_id: str,
    config: str,
    context: str,
    candidate: Path,
    scratch: Path | None = None,
) -> None:
    """Makes one candidate; only what it is made from enters its key, and is fetched."""
    known = Models.read(models)
    told = QuantizeConfig.from_json(config)
    own = told.for_candidate(candidate_id, found=known.candidates)
    execute(
        STAGE,
        config=own,
        context=context,
        inputs={
            "bundle": known.entry(own.variant).stored,
            "dataset": dataset,
        },
        output=candidate,
        instance=candidate_id,
        scratch=scratch,
    )


def _compute(task: Task[CandidateConfig]) -> None:
    from components.common.lite.litert import LiteRTError
    from components.common.lite.model_files import ModelFileError
    from components.quantize.schemes.scheme import ConversionError

    bundle = ModelBundle.read(task.inputs["bundle"])
    model = failure = None
    steps: tuple[FileStepResult, ...] = ()
    try:
        model, steps = _make_model(task, bundle)
    except (ConversionError, ModelFileError, LiteRTError) as error:
        failure = str(error)
        (task.output / MODEL_FILE).unlink(missing_ok=True)
    Candidate(
        candidate_id=task.config.candidate_id,
        variant=task.config.variant,
        scheme=task.config.scheme,
        file_steps=steps,
        words=_describe(task.config.scheme, steps),
        class_names=bundle.class_names,
        model=model,
        failure=failure,
        training_faults=bundle.faults,
        lineage=task.lineage,
    ).write(task.output)


def _describe(scheme: SchemeSpec, steps: Sequence[FileStepResult]) -> str:
    told = SCHEMES[scheme.kind].describe(scheme.settings)
    return "; ".join([told, *map(_describe_step, steps)])


def _describe_step(result: FileStepResult) -> str:
    if result.bytes_after < result.bytes_before:
        saved, where = 1 - result.bytes_after / result.bytes_before, "before zipping"
    else:
        saved, where = 1 - result.zipped_after / result.zipped_before, "zipped"
    return f"{describe_step(result)} ({percent(saved)} smaller {where})"


def _make_model(
    task: Task[CandidateConfig], bundle: ModelBundle
) -> tuple[TFLiteModel, tuple[FileStepResult, ...]]:
    """Writes `model.tflite`, runs it once in LiteRT, and describes it and the steps on it."""
    from components.common.lite.metadata import attach_metadata
    from components.common.lite.tflite import inspect_model
    from components.common.models.bundles import load_bundle_model
    from components.quantize.conversion import convert_model

    manifest = DatasetManifest.read(task.inputs["dataset"])
    material = _TrainingExamples(task, manifest)
    pictures = None
    scheme = task.config.scheme
    if (count := scheme.settings.get("calibration_examples")) is not None:
        pictures = material.examples(count)
    task.events.progress(0, 3, "steps", "loading the model")
    keras_model = load_bundle_model(task.inputs["bundle"])
    task.events.progress(1, 3, "steps", f"converting to {scheme.kind}")
    data = convert_model(keras_model, bundle.input, scheme.kind, pictures, settings=scheme.settings)
    data = attach_metadata(data, _card(task, bundle, manifest.image, pictures))
    data, steps = apply_file_steps(data, task.config.file_steps, material)
    path = task.output / MODEL_FILE
    path.write_bytes(data)
    task.events.progress(2, 3, "steps", "comparing its answers with the model's")
    _check_answers(task, manifest, path)
    return inspect_model(data), steps


def _check_answers(task: Task[CandidateConfig], manifest: DatasetManifest, file: Path) -> None:
    """Holds the file's answers on validation pictures against those that the bundle has.

    Raises:
      ConversionError: they have nothing to do with one another.
      LiteRTError: the file does not run.
    """
    from components.common.data.predictions import read_bundle_predictions
    from components.common.lite.inference import predict_examples
    from components.common.tasks.image.calibration import choose_examples
    from components.common.tasks.image.device import device_input
    from components.common.tasks.image.examples import read_examples
    from components.quantize.agreement import EXAMPLES, explain_discord
    from components.quantize.schemes.scheme import ConversionError

    chosen = choose_examples(
        read_examples(manifest, "validation", task.context.data()),
        manifest.splits["validation"].examples_per_class,
        EXAMPLES,
    )
    answers = predict_examples(
        file, chosen, see=device_input(manifest.image), threads=usable_cores()
    )
    expected = read_bundle_predictions(task.inputs["bundle"], "validation")
    if fault := explain_discord(answers, expected):
        raise ConversionError(fault)


class _TrainingExamples:
    """The `Material` of file steps: what calibration reads, each number of examples read once."""

    def __init__(self, task: Task[CandidateConfig], manifest: DatasetManifest) -> None:
        self._task, self._manifest = task, manifest
        self._read: dict[int, npt.NDArray[np.uint8]] = {}

    def examples(self, count: int) -> "npt.NDArray[np.uint8]":
        from components.common.tasks.image.calibration import read_calibration

        if count not in self._read:
            storage = self._task.context.data()
            self._read[count] = read_calibration(
                self._manifest, storage, count=count, events=self._task.events
            )
        return self._read[count]


def _card(
    task: Task[CandidateConfig],
    bundle: ModelBundle,
    image: ImageSpec,
    pictures: "npt.NDArray[np.uint8] | None",
) -> "ModelCard":
    """Describes the model by content alone, so that code that changed nothing changes nothing.

    The keys of the computations, which code enters, are in the candidate's own lineage.
    """
    from components.common.lite.metadata import ModelCard
    from components.common.tasks.image.metadata import fitting, write_input

    id_ = task.config.candidate_id
    lineage: dict[str, object] = {
        "backbone": bundle.architecture.backbone,
        "candidate": id_,
        **fitting(image),
        "weights_sha256": file_digest(task.inputs["bundle"] / "weights.npz"),
    }
    if pictures is not None:
        lineage["calibration_examples"] = len(pictures)
        lineage["calibration_sha256"] = hashlib.sha256(pictures.tobytes()).hexdigest()
    if task.config.file_steps:
        lineage["file_steps"] = [
            {step.kind: step.settings} if step.settings else step.kind
            for step in task.config.file_steps
        ]
    return ModelCard(
        name=f"{bundle.architecture.backbone} {id_}",
        description=f"Classifies pictures into {len(bundle.class_names)} classes.",
        class_names=bundle.class_names,
        write_input=partial(write_input, spec=image),
        lineage=lineage,
    )


STAGE = Stage(name="quantize", config=CandidateConfig, output="candidate", compute=_compute)
