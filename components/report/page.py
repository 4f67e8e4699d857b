"""The page: everything the template shows, and the template filled in."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from components.common.documents.benchmark import BenchmarkMachine
from components.common.documents.decision import Budgets, Decision, StepGain
from components.common.tasks.told import Shown
from components.common.words.pages import render_page
from components.report import charts, formats
from components.report.activity import ActivitySection, activity_section
from components.report.candidates import CandidateRow, candidate_rows
from components.report.candidates_chart import LATENCY, ZIPPED_SIZE, candidates_chart
from components.report.classes import ClassesSection, classes_section
from components.report.dataset import DataSection, data_section
from components.report.ladder import Rung, ladder
from components.report.mistakes import Mistakes, ShownMistake, show_mistakes
from components.report.search import SearchSection, search_section
from components.report.sources import Run
from components.report.training import SparsitySection, Training, sparsity_sections, trainings

TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """Examples as the page shows them."""

    by_label: Mapping[int, Sequence[Shown]]
    """A few of each class."""
    by_id: Mapping[str, Shown]
    """Those that are shown for what they are: mistakes, near copies, and odd ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The report's content, section by section, free of any formatting."""

    run_id: str
    recipe_name: str
    recipe: str
    decision: Decision
    candidates: tuple[CandidateRow, ...]
    ladder: tuple[Rung, ...]
    search: SearchSection | None
    budgets: Budgets
    machine: BenchmarkMachine
    price_per_hour: float | None
    test_examples: int
    steps: tuple[StepGain, ...]
    trainings: tuple[Training, ...]
    classes: ClassesSection | None
    mistakes: Mistakes | None
    shown_mistakes: tuple[ShownMistake, ...]
    sparsities: tuple[SparsitySection, ...]
    data: DataSection
    activity: ActivitySection

    @property
    def winner(self) -> CandidateRow | None:
        return next((row for row in self.candidates if row.standing == "winner"), None)

    @property
    def baseline(self) -> CandidateRow | None:
        return next((row for row in self.candidates if row.baseline), None)


def build_page(run: Run, mistakes: Mistakes | None, examples: Examples) -> Page:
    """Gathers what the report shows.

    Args:
      run: the run's documents.
      mistakes: what a candidate gets wrong that float32 gets right; None without one.
      examples: of classes, mistakes, pairs and odd ones.
    """
    names, rows = run.manifest.class_names, candidate_rows(run)
    return Page(
        run_id=run.run_id,
        recipe_name=run.recipe_name,
        recipe=run.config.recipe,
        decision=run.decision,
        candidates=rows,
        ladder=ladder(run, rows),
        search=search_section(run),
        budgets=run.decision.budgets,
        machine=run.benchmark.machine,
        price_per_hour=run.benchmark.price_per_hour,
        test_examples=run.manifest.splits["test"].examples,
        steps=run.decision.steps,
        trainings=trainings(run),
        classes=classes_section(run),
        mistakes=mistakes,
        shown_mistakes=show_mistakes(mistakes, examples.by_id, names) if mistakes else (),
        sparsities=sparsity_sections(run),
        data=data_section(run, examples.by_label, examples.by_id),
        activity=activity_section(run),
    )


def render(page: Page) -> str:
    """Returns the page as HTML: one file, which fetches nothing."""
    return render_page(
        TEMPLATE,
        filters=_FILTERS,
        page=page,
        charts=charts,
        candidates_chart=candidates_chart,
        zipped_size=ZIPPED_SIZE,
        latency=LATENCY,
    )


_FILTERS: Mapping[str, Callable[..., str]] = {
    "count": formats.count,
    "measured": formats.measured,
    "milliseconds": formats.milliseconds,
    "percent": formats.percent,
    "plain_points": formats.plain_points,
    "points": formats.points,
    "seconds": formats.seconds,
    "short": formats.short,
    "significant": formats.significant,
    "size": formats.size,
    "times": formats.times,
}
