"""Steps on the finished file, each `.tflite` in, `.tflite` out: a module a step."""

from collections.abc import Mapping

from components.quantize.file_steps import share
from components.quantize.file_steps.file_step import FileStep

FILE_STEPS: Mapping[str, FileStep] = {
    step.kind: step
    for step in (
        share.STEP,
    )
}  # fmt: skip
