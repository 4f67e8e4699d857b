"""Steps on the finished file, each `.tflite` in, `.tflite` out. A module a step.

A recipe states a step by its name alone or with settings: `share`, `{snap: {bits: 4}}`. Documents
hold it as a `StepSpec`, with every setting filled in.
"""

from collections.abc import Iterable, Mapping

from components.common.digests import canonical_json
from components.common.documents.candidate import FileStepResult
from components.common.documents.variant import StepSpec
from components.common.lite.file_steps import share, snap
from components.common.lite.file_steps.file_step import FileStep, Material

FILE_STEPS: Mapping[str, FileStep] = {
    step.kind: step
    for step in (
        snap.STEP,
        share.STEP,
    )
}  # fmt: skip


def apply_file_steps(
    data: bytes, specs: Iterable[StepSpec], material: Material
) -> tuple[bytes, tuple[FileStepResult, ...]]:
    """Puts a file through steps, in order; returns the file and what each came to.

    Raises:
      ModelFileError: a step can't work on this file.
    """
    from components.common.lite.packing import deflated_bytes

    results = []
    for spec in specs:
        before, data = data, FILE_STEPS[spec.kind].apply(data, _settings(spec), material)
        results.append(
            FileStepResult(
                kind=spec.kind,
                settings=spec.settings,
                bytes_before=len(before),
                bytes_after=len(data),
                zipped_before=deflated_bytes(before),
                zipped_after=deflated_bytes(data),
            )
        )
    return data, tuple(results)


def label_step(spec: StepSpec) -> str:
    """Returns a step's part of a candidate's id."""
    return FILE_STEPS[spec.kind].label(_settings(spec))


def describe_step(spec: StepSpec) -> str:
    """Says what a step does, for people."""
    return FILE_STEPS[spec.kind].words(_settings(spec))


def _settings(spec: StepSpec) -> object:
    step = FILE_STEPS[spec.kind]
    return step.Settings.model_validate_json(canonical_json(spec.settings))
