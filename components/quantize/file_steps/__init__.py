"""Steps on the finished file, each `.tflite` in, `.tflite` out. A module a step."""

from collections.abc import Iterable, Mapping

from components.common.digests import canonical_json
from components.common.documents.candidate import FileStepResult
from components.common.documents.variant import StepSpec
from components.quantize.file_steps import share
from components.quantize.file_steps.file_step import FileStep

FILE_STEPS: Mapping[str, FileStep] = {
    step.kind: step
    for step in (
        share.STEP,
    )
}  # fmt: skip


def apply_file_steps(
    data: bytes, specs: Iterable[StepSpec]
) -> tuple[bytes, tuple[FileStepResult, ...]]:
    """Puts a file through steps, in order; returns the file and what each came to.

    Raises:
      ModelFileError: a step can't work on this file.
    """
    results = []
    for spec in specs:
        before, data = len(data), FILE_STEPS[spec.kind].apply(data)
        results.append(FileStepResult(kind=spec.kind, bytes_before=before, bytes_after=len(data)))
    return data, tuple(results)


def label_step(spec: StepSpec) -> str:
    """Returns a step's part of a candidate's id."""
    step = FILE_STEPS[spec.kind]
    return step.label(step.Settings.model_validate_json(canonical_json(spec.settings)))
