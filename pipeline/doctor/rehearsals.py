"""What the doctor tries by running components, in a process and a folder of their own.

The survey runs preprocess up to where it would decode, and validate on what that has counted:
seconds. The trial runs everything up to the evaluation of each candidate, on a handful of
made-up examples and random weights: minutes.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from components.common.documents.candidate import Candidate
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.record import TaskResult
from components.common.documents.validation import Validation
from components.common.tasks.sources import sources_of
from pipeline.doctor.trial_recipe import (
    DATASET,
    RECIPE_FILE,
    VALIDATION,
    trial_context,
    trial_recipe,
)
from pipeline.recipe import Recipe
from pipeline.runs.leftovers import scratch_folder
from pipeline.stages import STAGES

_TIMEOUT_S = 900


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
      check: a few words that name it.
      state: a warning does not fail the doctor: what it says could not be told from here, or
        was not asked for.
      message: figures, or what is wrong and the remedy.
      seconds: which the check took.
    """

    check: str
    state: Literal["fine", "warning", "failed", "not tried"]
    message: str = ""
    seconds: float | None = None


def survey_data(recipe: Recipe, *, registry: str) -> Iterator[Finding]:
    """Looks at every file of the source, as far as a run does before it decodes the first."""
    examples = sources_of(recipe.task).EXAMPLES
    with scratch_folder() as folder:
        (folder / RECIPE_FILE).write_text(json.dumps(recipe.stated()))
        try:
            process = subprocess.run(
                [sys.executable, "-P", "-m", "pipeline.doctor.survey", str(folder), registry],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder)},
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            minutes = _TIMEOUT_S // 60
            yield Finding(examples, "warning", f"not all were read within {minutes} minutes")
            return
        findings = list(_read_survey(folder, examples))
    yield from findings
    yield from _broken_off(examples, process, findings)


def _read_survey(folder: Path, examples: str) -> Iterator[Finding]:
    """Yields what preprocess and validate said of a source of such examples."""
    results = _results(folder)
    if (looked := results.get("preprocess")) is not None:
        said = "" if looked.status == "failed" else _counts(DatasetManifest.read(folder / DATASET))
        yield _finding_of(examples, looked, said)
    if (judged := results.get("validate")) is not None:
        if judged.status == "failed":
            yield _finding_of("data set", judged)
            return
        for finding in Validation.read(folder / VALIDATION).findings:
            yield Finding("data set", "warning", finding.message, judged.seconds)


def _counts(manifest: DatasetManifest) -> str:
    splits = ", ".join(f"{manifest.splits[split].examples} {split}" for split in SPLITS)
    rejected = ", ".join(f"{count} {reason}" for reason, count in manifest.rejects.items())
    litter = ", ".join(f"{count} {kind}" for kind, count in manifest.passed_over.items())
    passed_over = f"; passed over: {litter}" if litter else ""
    classes = len(manifest.class_names)
    return f"{splits}, of {classes} classes; left out: {rejected or 'none'}{passed_over}"


def try_model(recipe: Recipe) -> Iterator[Finding]:
    """Builds the model with random weights and tries every step of compression on it."""
    with scratch_folder() as folder:
        trial = trial_recipe(recipe, folder)
        (folder / RECIPE_FILE).write_text(json.dumps(trial.stated()))
        process = subprocess.run(
            [sys.executable, "-P", "-m", "pipeline.doctor.trial", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
            timeout=_TIMEOUT_S,
            check=False,
        )
        findings = list(_read_trial(trial, folder))
    yield from findings
    yield from _broken_off("trial", process, findings)


def _read_trial(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Yields what became of each step of a trial, as far as it came."""
    results = _results(folder)
    for stage in (stage for stage in STAGES if stage.per != "candidate"):
        for task in recipe.tasks_of(stage):
            if task in results:
                yield _finding_of(task, results[task])
    for id_ in recipe.candidate_ids():
        made = folder / f"candidate{id_}"
        if made.is_dir() and (failure := Candidate.read(made).failure) is not None:
            yield Finding(id_, "failed", f"{failure}; leave it out of the recipe's schemes")
        elif (result := results.get(f"evaluate[{id_}]")) is not None:
            yield _finding_of(id_, result)


def _results(folder: Path) -> Mapping[str, TaskResult]:
    """Returns the results of the tasks that were run in a folder, by task."""
    context = trial_context(folder)
    tasks = Path(context.data_root, context.run_folder(), "tasks")
    results = [TaskResult.parse(path.read_bytes()) for path in tasks.glob("*.json")]
    return {result.task: result for result in results}


def _finding_of(check: str, result: TaskResult, message: str = "") -> Finding:
    if result.status == "failed":
        return Finding(check, "failed", result.message, result.seconds)
    return Finding(check, "fine", message, result.seconds)


def _broken_off(
    check: str, process: subprocess.CompletedProcess[bytes], findings: Iterable[Finding]
) -> Iterator[Finding]:
    """Yields a failure where a process ended badly and none of its tasks says why."""
    if process.returncode != 0 and not any(finding.state == "failed" for finding in findings):
        lines = process.stdout.decode(errors="replace").strip().splitlines()
        yield Finding(check, "failed", lines[-1] if lines else f"exit {process.returncode}")
