"""The report's parts on their own: figures in words, drawings, pictures, joins."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from components.common.data.predictions import make_predictions
from components.common.documents.benchmark import Latency
from components.common.documents.bundle import Epoch
from components.common.documents.decision import Budgets
from components.common.documents.evaluation import Estimate
from components.common.documents.measured import join_candidates
from components.common.documents.near_copies import NO_NEAR_COPIES
from components.common.documents.oddities import NO_ODDITIES
from components.common.documents.record import Receipt
from components.common.documents.validation import Validation
from components.common.tasks.told import Histogram
from components.report import formats
from components.report.candidates import CandidateRow
from components.report.candidates_chart import (
    LATENCY,
    ZIPPED_SIZE,
    candidates_chart,
    find_front,
)
from components.report.charts import histogram, learning_rate_curve, loss_curves
from components.report.classes import ROWS, classes_section
from components.report.mistakes import find_mistakes
from components.report.sources import Run
from components.report.svg import Scale, element
from components.report.training import Training
from tests.builders.fabricate import fabricate


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.percent(0.9774), "97.7 %"),
        (formats.points(0.0123), "+1.2"),
        (formats.points(-0.0044), "−0.44"),
        (formats.points(0.0), "0.0"),
        (formats.plain_points(0.02), "2"),
        (formats.measured(6.0), "6"),
        (formats.measured(0.0773), "0.0773"),
        (formats.size(999), "999 bytes"),
        (formats.size(999_600), "1 MB"),
        (formats.size(13_471_636), "13.5 MB"),
        (formats.milliseconds(0.0213), "0.0213 ms"),
        (formats.seconds(0.313), "0.31 s"),
        (formats.seconds(59.9), "1 min 0 s"),
        (formats.seconds(7260), "2 h 1 min"),
        (formats.times(3.44), "3.4×"),
        (formats.significant(0), "0"),
        (formats.significant(1034.2), "1,034"),
    ],
)
def test_figures_read_well(shown: str, expected: str) -> None:
    assert shown.replace(formats.SPACE, " ") == expected


def test_elements_escape_text_and_attributes() -> None:
    drawn = element("text", "<b>&", class_='a"b', stroke_width=1.25)
    assert drawn == '<text class="a&#34;b" stroke-width="1.2">&lt;b&gt;&amp;</text>'


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(("low", "high"), [(1, 3), (0.91, 0.98), (11_000, 900_000), (5, 5.0001)])
def test_ticks_lie_within_the_scale(low: float, high: float, logarithmic: bool) -> None:
    ticks = Scale(low, high, 0, 100, logarithmic).ticks(6)
    assert len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    if not logarithmic:
        assert len(ticks) >= 3


def test_logarithmic_scale_keeps_ratios() -> None:
    scale = Scale(10, 1000, 0, 100, logarithmic=True)
    assert [scale(10), scale(100), scale(1000)] == pytest.approx([0, 50, 100])


def row(id_: str, accuracy: float, zipped: int | None, latency_ms: float) -> CandidateRow:
    return CandidateRow(
        id=id_,
        words=id_,
        baseline=id_ == "float32",
        standing="winner" if id_ == "int8" else "accepted",
        failure=None,
        diagnosis=None,
        accuracy=Estimate(value=accuracy, low=accuracy - 0.01, high=accuracy + 0.01),
        metrics={},
        drop=None,
        comparisons=(),
        reasons=(),
        size_bytes=zipped,
        zipped_bytes=zipped,
        xz_bytes=None,
        zstd_bytes=None,
        macs=None,
        latency=Latency(threads=1, p50_ms=latency_ms, p90_ms=1, p99_ms=1, runs=20),
        more_latencies=(),
        memory_bytes=None,
        energy_mj=None,
        cost_per_million=None,
        keras=None,
    )


def test_candidates_chart_places_marks_by_size_accuracy_and_latency() -> None:
    rows = [
        row("float32", 0.97, 40_000, 0.4),
        row("int8", 0.96, 10_000, 0.1),
        row("lost", 0.9, None, 0.1),
    ]
    budgets = Budgets(accuracy_drop=0.02, zipped_bytes=20_000)
    svg = ElementTree.fromstring(candidates_chart(rows, budgets, width=600, height=300))
    large, small = svg.findall("circle")
    assert float(small.attrib["cx"]) < float(large.attrib["cx"])
    assert float(small.attrib["cy"]) > float(large.attrib["cy"])
    assert float(large.attrib["r"]) == pytest.approx(2 * float(small.attrib["r"]), abs=0.1)
    assert small.attrib["class"] == "mark winner"
    labels = [text.text for text in svg.findall("text")]
    assert "float32 less the margin of 2 points" in labels
    assert "lost" not in labels


def test_the_front_is_what_no_other_candidate_beats() -> None:
    rows = [
        row("float32", 0.97, 40_000, 0.1),
        row("int8", 0.96, 10_000, 0.4),
        row("worse", 0.95, 12_000, 0.3),
        row("as-good-but-larger", 0.96, 11_000, 0.5),
        row("smallest", 0.90, 5_000, 0.5),
    ]
    assert [each.id for each in find_front(rows, ZIPPED_SIZE)] == ["smallest", "int8", "float32"]
    assert [each.id for each in find_front(rows, LATENCY)] == ["float32"]
    svg = ElementTree.fromstring(candidates_chart(rows, Budgets(), width=600, height=300))
    (front,) = svg.findall("polyline")
    corners = [tuple(map(float, corner.split(","))) for corner in front.attrib["points"].split()]
    assert corners == sorted(corners, key=lambda corner: (corner[0], -corner[1]))
    marks = {(float(mark.attrib["cx"]), float(mark.attrib["cy"])) for mark in svg.findall("circle")}
    assert len(marks & set(corners)) == 3


def test_over_latency_the_chart_has_that_budget_and_sizes_as_areas() -> None:
    rows = [row("float32", 0.97, 40_000, 0.4), row("int8", 0.96, 10_000, 0.1)]
    budgets = Budgets(zipped_bytes=20_000, latency_ms=0.3)
    svg = ElementTree.fromstring(
        candidates_chart(rows, budgets, width=600, height=300, measure=LATENCY)
    )
    large, small = svg.findall("circle")
    assert float(large.attrib["r"]) == pytest.approx(2 * float(small.attrib["r"]), abs=0.1)
    words = [text.text or "" for text in svg.findall("text")]
    assert f"budget {formats.milliseconds(0.3)}" in words
    assert f"budget {formats.size(20_000)}" not in words


def test_of_many_candidates_only_those_that_stand_out_are_named() -> None:
    crowd = [row(f"rung-{n}", 0.9, 12_000 + n, 0.1) for n in range(20)]
    rows = [row("float32", 0.97, 40_000, 0.4), row("int8", 0.96, 10_000, 0.1), *crowd]
    svg = ElementTree.fromstring(candidates_chart(rows, Budgets(), width=600, height=300))
    labels = {each.text for each in svg.findall("text") if each.attrib["class"].startswith("label")}
    assert labels == {"float32", "int8"}
    assert len(svg.findall("circle")) == 22


def test_candidates_chart_keeps_labels_apart() -> None:
    rows = [row(f"candidate-{n}", 0.97, 10_000, 0.1) for n in range(4)]
    svg = ElementTree.fromstring(candidates_chart(rows, Budgets(), width=600, height=300))
    heights = sorted(
        (text.attrib["text-anchor"], float(text.attrib["y"]))
        for text in svg.findall("text")
        if text.attrib["class"].startswith("label")
    )
    assert len(heights) == 4
    for (side, y), (next_side, next_y) in zip(heights, heights[1:], strict=False):
        assert side != next_side or next_y - y > 12


def test_a_label_stands_nearer_to_its_own_mark_than_to_another() -> None:
    rows = [
        row("dynamic_range", 0.974, 94_000, 0.0177),
        row("float32", 0.974, 94_000, 0.0196),
        row("int8", 0.972, 68_000, 0.0195),
        row("float16", 0.974, 176_000, 0.0574),
    ]
    drawn = candidates_chart(rows, Budgets(), width=900, height=320, measure=LATENCY)
    svg = ElementTree.fromstring(drawn)
    marks = {mark.findtext("title", "").split(":")[0]: mark for mark in svg.findall("circle")}
    label = next(text for text in svg.findall("text") if text.text == "dynamic_range")
    end = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.attrib["text-anchor"]]
    left = float(label.attrib["x"]) - end * 7.6 * len("dynamic_range")

    def distance(mark: ElementTree.Element) -> float:
        x, y, radius = (float(mark.attrib[name]) for name in ("cx", "cy", "r"))
        across = max(left - x, x - left - 7.6 * len("dynamic_range"), 0)
        top = float(label.attrib["y"]) - 12
        return float(np.hypot(across, max(top - y, y - top - 15, 0))) - radius

    assert min(marks, key=lambda name: distance(marks[name])) == "dynamic_range"


def test_no_mark_is_hidden_behind_a_larger_one() -> None:
    rows = [row("int8", 0.97, 10_000, 1.1), row("dynamic_range", 0.97, 10_100, 3.1)]
    svg = ElementTree.fromstring(candidates_chart(rows, Budgets(), width=600, height=300))
    behind, before = (float(mark.attrib["r"]) for mark in svg.findall("circle"))
    assert behind > before


def test_a_line_leads_from_a_mark_to_a_label_that_lies_far_away() -> None:
    rows = [row(f"candidate-{n}", 0.97, 10_000, 0.1) for n in range(12)]
    svg = ElementTree.fromstring(candidates_chart(rows, Budgets(), width=600, height=300))
    leaders = [each for each in svg.findall("line") if each.attrib["class"] == "leader"]
    mark = svg.find("circle")
    assert mark is not None
    assert 0 < len(leaders) < len(rows)
    assert {line.attrib["x1"] for line in leaders} == {mark.attrib["cx"]}
    one = ElementTree.fromstring(candidates_chart(rows[:1], Budgets(), width=600, height=300))
    assert not [each for each in one.findall("line") if each.attrib["class"] == "leader"]


def train(*losses: float, rate: float) -> Training:
    epochs = tuple(
        Epoch(
            phase="head",
            epoch=number,
            learning_rate=rate,
            loss=loss,
            accuracy=0.9,
            validation_loss=loss,
            validation_accuracy=0.9,
        )
        for number, loss in enumerate(losses, start=1)
    )
    return Training(
        title="dense", backbone="cnn", parameters=9, epochs=epochs, phases=(), best=epochs[-1]
    )


def test_what_stands_beside_curves_has_room() -> None:
    training = train(0.9, 0.00989, rate=0.00075)
    for curve in (loss_curves(training), learning_rate_curve(training)):
        svg = ElementTree.fromstring(curve)
        width = float(svg.attrib["viewBox"].split()[2])
        for text in svg.findall("text"):
            room = float(text.attrib["x"])
            room = room if text.attrib.get("text-anchor") == "end" else width - room
            assert len(text.text or "") * 7 <= room, text.text


def test_a_head_that_is_fitted_has_no_rate_to_draw() -> None:
    assert learning_rate_curve(train(0.1, rate=0.0)) == ""
    assert learning_rate_curve(train(0.1, rate=0.1)) != ""


def test_histogram_of_nothing_is_drawn_empty() -> None:
    svg = ElementTree.fromstring(
        histogram(Histogram("Pixels by intensity", [0.0] * 32, 256, (0, 255)))
    )
    assert {rect.attrib["height"] for rect in svg.findall("rect")} == {"0"}


def test_mistakes_are_joined_by_id_and_the_surest_come_first() -> None:
    before = make_predictions(["a", "b", "c", "d"], [0, 0, 0, 0], np.array([[0.9, 0.1]] * 4))
    answers = np.array([[0.4, 0.6], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7]])
    after = make_predictions(["d", "c", "b", "a"], [0, 0, 0, 0], answers)
    found = find_mistakes(before, after, candidate_id="int8", limit=2)
    assert (found.lost, found.gained) == (3, 0)
    assert [mistake.id for mistake in found.shown] == ["b", "a"]
    assert found.shown[0].after.label == 1
    assert found.shown[0].after.probability == pytest.approx(0.8)


def test_the_worst_classes_come_first_and_are_none_of_the_hidden(tmp_path: Path) -> None:
    names = [f"c{number:02d}" for number in range(ROWS + 5)]
    made = fabricate(tmp_path, class_names=names)
    evaluation = made.evaluations["int8"]
    shares = np.random.default_rng(0).permutation(len(names)) / len(names)
    metrics = tuple(
        one.model_copy(update={"recall": Estimate(value=share, low=0.0, high=1.0)})
        for one, share in zip(evaluation.per_class, shares.tolist(), strict=True)
    )
    evaluation = evaluation.model_copy(update={"per_class": metrics})
    run = Run(
        run_id="test",
        recipe_name="shapes",
        config=made.config,
        manifest=made.manifest,
        rejects=(),
        near_copies=NO_NEAR_COPIES,
        oddities=NO_ODDITIES,
        validation=Validation(findings=()),
        models=made.models,
        candidates=join_candidates(
            made.candidates.values(),
            [*made.evaluations.values(), evaluation],
            made.benchmark,
        ),
        benchmark=made.benchmark,
        decision=made.decision,
        receipt=Receipt(run_id="test", tasks=(), seconds=0.0),
    )
    section = classes_section(run)
    assert section is not None and section.hidden_rows == 5
    found = [row.after.value for row in section.rows]
    assert found == sorted(shares.tolist())[:ROWS]
