"""A run's verdict for a CI job: exit status, JUnit XML, JSON, and a table in Markdown.

The status is the verdict's: a job passes when the model is blessed, or already was. A run
whose verdict can't be read does not pass, and each file says what could not be read.
"""

import dataclasses
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from components.common.documents.base import Document
from components.common.documents.decision import Verdict
from components.common.documents.outcome import (
    BlessedSummary,
    CandidateSummary,
    RunResults,
    TaskSummary,
)
from components.common.errors import UserError
from components.common.run_context import RunContext
from components.common.words.figures import (
    interval,
    milliseconds,
    or_dash,
    percent,
    seconds,
    size,
)
from components.common.words.markdown import escape_markdown, markdown_table
from components.common.words.terminal import visible
from pipeline.kubeflow.run_end import RunEnd
from pipeline.terminal.exit_codes import ExitCode

_TITLES: Mapping[ExitCode, str] = {
    ExitCode.NOT_BLESSED: "not blessed",
    ExitCode.BAD_INPUT: "bad input",
    ExitCode.STAGE_FAILED: "a stage failed",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}

_ADDRESS = "/:?#@!$&'*+,;=%~"  # May stand in an address, and ends no link in Markdown.


class CiSummary(Document):
    """How a CI job's run ended."""

    file_name: ClassVar[str] = "summary.json"

    recipe: str
    run_id: str | None
    """None where the run never started."""
    exit_code: int
    verdict: Verdict | None
    message: str
    unread: str = ""
    """What could not be read from where the job ran, and why."""
    link: str | None
    """To the run in KFP's UI."""
    winner: str | None
    candidates: tuple[CandidateSummary, ...]
    blessed_before: BlessedSummary | None
    tasks: tuple[TaskSummary, ...]


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where a CI job wants what."""

    junit: Path | None = None
    json: Path | None = None
    markdown: Path | None = None
    step_summary: Path | None = None
    """GitHub's file for the job's page, to which the table is appended."""

    def write(self, summary: CiSummary) -> None:
        """Writes what is wanted.

        Raises:
          UserError: a file can't be written.
        """
        markdown = to_markdown(summary)
        texts = {
            self.junit: to_junit(summary),
            self.json: summary.to_json() + "\n",
            self.markdown: markdown,
        }
        try:
            for path, text in texts.items():
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8")
            if self.step_summary is not None:
                with self.step_summary.open("a", encoding="utf-8") as file:
                    file.write(markdown)
        except OSError as error:
            raise UserError(f"{error.filename}: can't be written ({error.strerror})") from error


def summarize(
    recipe: str, context: RunContext, end: RunEnd, *, link: str | None = None
) -> CiSummary:
    """Summarizes a run that is over.

    Args:
      recipe: its name.
      context: of the run.
      end: how it ended.
      link: to the run in KFP's UI.
    """
    results = end.outcome.results if end.outcome is not None else RunResults()
    return CiSummary(
        recipe=recipe,
        run_id=context.run_id,
        exit_code=end.code,
        verdict=end.outcome.verdict if end.outcome is not None else None,
        message=end.message,
        unread=end.unread,
        link=link,
        winner=results.winner,
        candidates=results.candidates,
        blessed_before=results.blessed_before,
        tasks=results.tasks,
    )


def summarize_refusal(recipe: str, message: str) -> CiSummary:
    """Summarizes a run that was refused before it began."""
    return CiSummary(
        recipe=recipe,
        run_id=None,
        exit_code=ExitCode.BAD_INPUT,
        verdict=None,
        message=message,
        link=None,
        winner=None,
        candidates=(),
        blessed_before=None,
        tasks=(),
    )


def to_markdown(summary: CiSummary) -> str:
    """Returns the verdict and a table of the candidates beside the blessed model."""
    title = f"## litesmith {escape_markdown(summary.recipe)}: {_title(summary)}"
    lines = [title, "", escape_markdown(summary.message), ""]
    if summary.candidates:
        headings = ("model", "accuracy (95 %)", "size", "zipped", "p50", "")
        lines += [markdown_table(headings, _rows(summary)), ""]
    failed = [task for task in summary.tasks if task.status == "failed"]
    lines += [
        f"- **{escape_markdown(task.task)}** failed: {escape_markdown(task.message)}"
        for task in failed
    ]
    if summary.unread:
        lines.append(f"- Not read from here: {escape_markdown(summary.unread)}")
    if summary.run_id is not None:
        name = escape_markdown(summary.run_id)
        run = f"[{name}]({quote(summary.link, safe=_ADDRESS)})" if summary.link else f"`{name}`"
        cached = sum(task.status == "cached" for task in summary.tasks)
        work_s = sum(task.seconds for task in summary.tasks)
        lines.append(
            f"Run {run}: {len(summary.tasks)} tasks, {cached} of them from the store, "
            f"{seconds(work_s)} of work."
            if summary.tasks
            else f"Run {run}."
        )
    return "\n".join(lines) + "\n"


def to_junit(summary: CiSummary) -> str:
    """Returns JUnit XML: a test case for each task, and one for the verdict."""
    cases = [*summary.tasks]
    failures = sum(task.status == "failed" for task in cases) + (summary.exit_code != ExitCode.OK)
    suite = ElementTree.Element(
        "testsuite",
        name=visible(f"litesmith.{summary.recipe}"),
        tests=str(len(cases) + 1),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{sum(task.seconds for task in cases):.3f}",
    )
    for task in cases:
        case = _case(suite, summary, task.task, task.seconds)
        if task.status == "failed":
            _fail(case, task.message)
    verdict = _case(suite, summary, "verdict", 0.0)
    if summary.exit_code != ExitCode.OK:
        _fail(verdict, summary.message)
    else:
        ElementTree.SubElement(verdict, "system-out").text = visible(summary.message)
    if summary.unread:
        unread = f"not read from here: {summary.unread}"
        ElementTree.SubElement(verdict, "system-err").text = visible(unread)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(
    suite: ElementTree.Element, summary: CiSummary, name: str, seconds: float
) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        classname=visible(f"litesmith.{summary.recipe}"),
        name=visible(name),
        time=f"{seconds:.3f}",
    )


def _fail(case: ElementTree.Element, message: str) -> None:
    text = visible(message)
    first = text.splitlines()[0] if text else ""
    ElementTree.SubElement(case, "failure", message=first).text = text


def _title(summary: CiSummary) -> str:
    if summary.verdict is not None and summary.exit_code in (ExitCode.OK, ExitCode.NOT_BLESSED):
        return summary.verdict.replace("_", " ")
    return _TITLES.get(ExitCode(summary.exit_code), "failed")


def _rows(summary: CiSummary) -> Iterator[Sequence[str]]:
    for row in summary.candidates:
        won = row.candidate_id == summary.winner
        name = f"**{row.candidate_id}**" if won else row.candidate_id
        note = "**winner**" if won else ("meets the budgets" if row.accepted else row.reason)
        yield name, *_figures(row), note
    blessed = summary.blessed_before
    if blessed is not None:
        name = f"blessed before: {blessed.candidate_id} {blessed.version}"
        yield name, *_figures(blessed), "as released"


def _figures(row: CandidateSummary | BlessedSummary) -> Iterator[str]:
    accuracy = row.accuracy
    if accuracy is None:
        yield "-"
    else:
        yield f"{percent(accuracy.value)} ({interval(accuracy.low, accuracy.high)})"
    yield or_dash(row.size_bytes, size)
    yield or_dash(row.zipped_bytes, size)
    yield or_dash(row.latency_ms, milliseconds)
