"""Steps on the finished file, each `.tflite` in, `.tflite` out. A module a step."""

from collections.abc import Iterable, Mapping

from components.common.documents.candidate import FileStepResult
from components.quantize.file_steps import share
from components.quantize.file_steps.file_step import FileStep

FILE_STEPS: Mapping[str, FileStep] = {
    step.kind: step
    for step in (
        share.STEP,
    )
}  # fmt: skip


def apply_file_steps(data: bytes, kinds: Iterable[str]) -> tuple[bytes, tuple[FileStepResult, ...]]:
    """Puts a file through steps, in order; returns the file and what each came to.

    Raises:
      ModelFileError: a step can't work on this file.
    """
    results = []
    for kind in kinds:
        before, data = len(data), FILE_STEPS[kind].apply(data)
        results.append(FileStepResult(kind=kind, bytes_before=before, bytes_after=len(data)))
    return data, tuple(results)
