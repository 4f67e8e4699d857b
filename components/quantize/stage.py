"""quantize: a bundle's Keras model becomes a candidate, or the reason why it cannot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.documents.bundle import ModelBundle
from components.common.documents.candidate import Candidate, FileStepResult, SchemeSpec
from components.common.documents.diagnosis import Diagnosis
from components.common.documents.models import Models
from components.common.lite.file_steps import describe_step
from components.common.shell.stage import Stage, Task, execute
from components.common.words.figures import percent
from components.quantize.config import CandidateConfig, QuantizeConfig
from components.quantize.schemes import SCHEMES

if TYPE_CHECKING:
    from components.quantize.repair import Made
    from components.quantize.workshop import TaskWorkshop

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


def _compute(task: Task[CandidateConfig]) -> Mapping[str, float]:
    from components.common.lite.litert import LiteRTError
    from components.common.lite.model_files import ModelFileError
    from components.common.lite.tflite import inspect_model
    from components.quantize.schemes.scheme import ConversionError
    from components.quantize.workshop import TaskWorkshop

    bundle = ModelBundle.read(task.inputs["bundle"])
    workshop = TaskWorkshop(task, bundle)
    made = model = diagnosis = None
    try:
        made, diagnosis = _make(task, workshop)
        failure = workshop.explain_discord(made.data)
    except (ConversionError, ModelFileError, LiteRTError) as error:
        failure = str(error)
    if made is not None and failure is None:
        (task.output / MODEL_FILE).write_bytes(made.data)
        model = inspect_model(made.data)
    scheme = task.config.scheme if made is None else made.attempt.scheme
    steps = () if made is None else made.steps
    Candidate(
        candidate_id=task.config.candidate_id,
        variant=task.config.variant,
        scheme=task.config.scheme,
        file_steps=steps,
        words=_describe(scheme, steps),
        class_names=bundle.class_names,
        model=model,
        failure=failure,
        diagnosis=diagnosis,
        training_faults=bundle.faults,
        lineage=task.lineage,
    ).write(task.output)
    measured = {"conversion_s": workshop.conversion_s}
    return measured | ({"training_s": workshop.training_s} if workshop.training_s else {})


def _make(task: Task[CandidateConfig], workshop: "TaskWorkshop") -> tuple["Made", Diagnosis | None]:
    """Makes the file, and mends it where it must be."""
    from components.quantize.repair import Attempt, mend

    own = task.config
    made = workshop.make(Attempt(scheme=own.scheme, file_steps=own.file_steps))
    if own.repair_above is None or not workshop.can_judge:
        return made, None
    made, diagnosis = mend(workshop, made, allowed_drop=own.repair_above, remedies=own.remedies)
    if diagnosis is not None:
        task.events.warn(f"{own.candidate_id}: {diagnosis.words}")
    return made, diagnosis


def _describe(scheme: SchemeSpec, steps: Sequence[FileStepResult]) -> str:
    told = SCHEMES[scheme.kind].describe(scheme.settings)
    return "; ".join([told, *map(_describe_step, steps)])


def _describe_step(result: FileStepResult) -> str:
    if result.bytes_after < result.bytes_before:
        saved, where = 1 - result.bytes_after / result.bytes_before, "before zipping"
    else:
        saved, where = 1 - result.zipped_after / result.zipped_before, "zipped"
    return f"{describe_step(result)} ({percent(saved)} smaller {where})"


STAGE = Stage(
    name="quantize", config=CandidateConfig, output="candidate", compute=_compute, resumes=True
)
