"""The model card: its example must run, and its texts must stay within their places."""

import dataclasses
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.documents.decision import Budgets, CandidateVerdict, Decision
from components.common.documents.evaluation import Estimate, Evaluation, Threshold
from components.common.documents.image import ImageSpec
from components.common.documents.release import Ancestry, Release
from components.common.lite.litert import Classifier
from components.common.tasks.image.device import decode_picture
from components.common.tasks.image.model_card import example_code
from components.common.tasks.image.preparation.pictures import prepare_picture
from components.common.tasks.image.preparation.settings import PictureSettings
from components.publish.model_card import CardFacts, mark_code, render_html, render_markdown
from tests.builders.artifacts import write_measured_run
from tests.builders.models import pruning
from tests.builders.releases import make_release
from tests.builders.synthetic import CLASS_NAMES, LINEAGE, draw_picture, encode_png, run_context

HOSTILE = ("<script>alert(1)</script>", "a|b\nc", "disc")


def make_facts(folder: Path, **changes: Any) -> CardFacts:
    write_measured_run(folder, run_context(folder), {"int8": b"int8" * 100}, examples=60)
    verdict = CandidateVerdict(
        candidate_id="int8",
        accepted=True,
        summary="It is the smallest.",
        reasons=("It is the smallest.",),
        comparisons=(),
    )
    decision = Decision(
        verdict="blessed",
        summary="int8 is blessed.",
        budgets=Budgets(accuracy_drop=0.02),
        winner="int8",
        candidates=(verdict,),
        steps=(),
        power=0.9,
        power_note="A chance of 90 %.",
        required_test_examples=50,
        notes=("A note.",),
        blessed_before=None,
        lineage=LINEAGE,
    )
    facts: dict[str, Any] = {
        "release": make_release(b"int8" * 100),
        "description": "Three shapes.",
        "candidate": Candidate.read(folder / "int8"),
        "steps": (),
        "evaluation": Evaluation.read(folder / "int8-evaluation"),
        "benchmark": Benchmark.read(folder / "benchmark"),
        "manifest": DatasetManifest.read(folder / "dataset"),
        "decision": decision,
        "ancestry": Ancestry(records=()),
    }
    return CardFacts(**{**facts, **changes})


def rename_classes(facts: CardFacts) -> CardFacts:
    classes = [
        metrics.model_copy(update={"class_name": name})
        for metrics, name in zip(facts.evaluation.per_class, HOSTILE, strict=True)
    ]
    evaluation = facts.evaluation.model_copy(update={"per_class": tuple(classes)})
    return CardFacts(**{**vars(facts), "evaluation": evaluation})


def fitted(facts: CardFacts, fit: str) -> CardFacts:
    image = facts.manifest.spec.model_copy(update={"fit": fit})
    manifest = facts.manifest.model_copy(update={"spec": image})
    return CardFacts(**{**vars(facts), "manifest": manifest})


class Page(HTMLParser):
    """Gathers what a page would load, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_cards_say_the_same(tmp_path):
    facts = make_facts(tmp_path)
    page, markdown = Page(render_html(facts)), render_markdown(facts)
    for text in (
        "Three shapes.",
        "int8 is blessed.",
        "It is the smallest.",
        "A note.",
        "A chance of 90 %.",
        "raw pixels in [0, 255]",
        "90.0 % (95 % interval 85.0 % to 94.0 %, 60 test examples)",
        "0.5 ms (p50, one thread) on A machine, 2 cores",
        *CLASS_NAMES,
    ):
        assert text in page.text and text in markdown
    assert "size_bytes" not in page.text, "a budget that is not stated is left out"


@pytest.mark.parametrize(("classes", "shown"), [(3, False), (5, False), (6, True)])
def test_of_five_classes_no_card_says_how_often_the_right_one_is_among_five(
    tmp_path: Path, classes: int, shown: bool
) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    facts = make_facts(tmp_path)
    release = facts.release.model_copy(update={"class_names": names})
    facts = dataclasses.replace(facts, release=release)
    assert ("top5 accuracy" in Page(render_html(facts)).text) == shown
    assert ("top5 accuracy" in render_markdown(facts)) == shown


def test_both_cards_say_where_to_answer_unknown(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    for score, chosen in ((0.0, False), (0.4321, True)):
        threshold = Threshold(
            score=score, chosen=chosen, validation_coverage=1, validation_accuracy=1,
            coverage=0.87, accuracy=Estimate(value=0.9, low=0.85, high=0.94),
        )  # fmt: skip
        thresholds = (*facts.evaluation.thresholds, threshold)
        evaluation = facts.evaluation.model_copy(update={"thresholds": thresholds})
        facts = CardFacts(**{**vars(facts), "evaluation": evaluation})
        for text in (Page(render_html(facts)).text, render_markdown(facts)):
            assert "Where to answer unknown" in text and "87.0 %" in text
            assert ("The one that its recipe asks for is 0.4321" in text) == chosen


def test_both_cards_say_what_was_done_to_the_model(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    words = "int8 weights and activations; equal vectors written once (7.7 % smaller)"
    candidate = facts.candidate.model_copy(update={"words": words})
    facts = CardFacts(**{**vars(facts), "candidate": candidate})
    assert f"| Kept as | {words} |" in render_markdown(facts)
    assert words in render_html(facts)


def test_code_in_words_is_code_on_the_page():
    assert mark_code("call `f(<x>)` & more") == "call <code>f(&lt;x&gt;)</code> &amp; more"


def test_the_page_loads_nothing(tmp_path):
    page = Page(render_html(make_facts(tmp_path)))
    assert page.addresses == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)


def test_class_names_cannot_break_out_of_their_cells(tmp_path):
    facts = rename_classes(make_facts(tmp_path))
    page = Page(render_html(facts))
    assert "script" not in page.tags and HOSTILE[0] in page.text
    rows = [line for line in render_markdown(facts).splitlines() if line.startswith("| a")]
    (row,) = [row for row in rows if "b c" in row]
    assert row.startswith(r"| a\|b c |")


def test_markdown_tables_are_whole(tmp_path):
    """Every row of a table has as many cells as its head."""
    lines = render_markdown(make_facts(tmp_path)).splitlines()
    for number, line in enumerate(lines):
        if set(line) == {"|", "-"}:
            columns = line.count("|")
            assert lines[number - 1].count("|") == columns
            row = number + 1
            while row < len(lines) and lines[row].startswith("|"):
                assert lines[row].count("|") == columns
                row += 1


@pytest.mark.parametrize(
    ("fit", "words", "advice"),
    [
        ("crop", "cut to the square in the middle", "hand them one that is fitted already"),
        ("pad", "padded to a square with #ffffff", "hand them one that is fitted already"),
        ("stretch", "stretched to a square", "MediaPipe and the Task Library do so themselves"),
    ],
)
def test_both_cards_say_how_pictures_are_fitted(tmp_path, fit, words, advice):
    facts = fitted(make_facts(tmp_path), fit)
    for text in (Page(render_html(facts)).text, render_markdown(facts)):
        assert f"{fit}: pictures are {words}" in text and advice in text
        assert "#ffffff behind what is transparent" in text


@pytest.mark.parametrize(
    ("id_", "fit", "line"),
    [
        ("float32", "crop", "ImageOps.fit(picture, (16, 16), Image.Resampling.BILINEAR)"),
        (
            "int8",
            "pad",
            "ImageOps.pad(picture, (16, 16), Image.Resampling.BILINEAR, color='#ffffff')",
        ),
        ("int8", "stretch", "picture.resize((16, 16), Image.Resampling.BILINEAR)"),
    ],
)
def test_the_example_classifies_a_picture(candidates, tmp_path, id_, fit, line):
    """It is taken from the card as a reader would, and run where the files lie."""
    candidate = Candidate.read(candidates[id_])
    release: Release = make_release(b"").model_copy(update={"model": candidate.model})
    facts = fitted(make_facts(tmp_path, release=release, candidate=candidate), fit)
    code = re.search(r"```python\n(.*?)```", render_markdown(facts), re.DOTALL)[1]
    assert f"picture = {line}\n" in code
    picture = encode_png(draw_picture(2, 5, low=60, high=187))
    (tmp_path / "picture.png").write_bytes(picture)
    model = candidates[id_] / "model.tflite"
    (tmp_path / "model.tflite").write_bytes(model.read_bytes())
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES))
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    label, probability = result.stdout.split()
    expected = Classifier(model).classify(decode_picture(picture, channels=1))
    assert label == CLASS_NAMES[expected.argmax()]
    assert float(probability) == pytest.approx(float(expected.max()), abs=1e-5)


def test_the_code_shows_the_background_where_a_picture_is_transparent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    settings = PictureSettings(image_size=16, channels=1, background="#20a0f0")
    image = ImageSpec(
        height=16, width=16, channels=1, encoding="png", fit="crop", background="#20a0f0"
    )
    code = example_code(make_release(b"").model, image)
    found: dict[str, Any] = {"np": np, "Image": Image, "ImageOps": ImageOps}
    exec(code[code.index("picture = ") : code.index("\nprobabilities")], found)
    data = (tmp_path / "picture.png").read_bytes()
    expected = prepare_picture(data, settings.picture_spec()).image
    assert np.abs(np.asarray(found["pixels"][0, ..., 0], int) - np.asarray(expected)).max() <= 1


def test_the_code_reads_one_label_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.txt").write_bytes("a\u2028b\x85c\rd\ne\n".encode())
    monkeypatch.chdir(tmp_path)
    image = ImageSpec(
        height=16, width=16, channels=1, encoding="png", fit="stretch", background="#ffffff"
    )
    code = example_code(make_release(b"").model, image)
    found: dict[str, list[str]] = {}
    exec(code[code.index("with open") : code.index("\n\npicture")], found)
    assert found["labels"][:2] == ["a\u2028b\x85c\rd", "e"]


def test_words_of_others_are_no_markup_in_markdown(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    hostile = "# \x1b[2J <script src=//evil></script>\n\n![x](//evil) | [y]: //evil"
    decision = facts.decision.model_copy(
        update={"summary": hostile, "notes": (hostile,), "power_note": hostile}
    )
    metrics = [
        each.model_copy(update={"class_name": hostile}) for each in facts.evaluation.per_class
    ]
    evaluation = facts.evaluation.model_copy(update={"per_class": tuple(metrics)})
    changes = {"decision": decision, "evaluation": evaluation, "description": hostile}
    facts = CardFacts(**{**vars(facts), **changes})
    before = render_markdown(make_facts(tmp_path / "plain"))
    text = render_markdown(facts)
    assert "<script" not in text and "\x1b" not in text
    assert not re.search(r"(?<!\\)\](\(|: )//", text)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [line for line in before.splitlines() if line.startswith("#")]


def test_the_card_says_from_which_model_and_by_which_steps_it_was_made(tmp_path):
    facts = make_facts(tmp_path)
    assert "int8, from the dense model" in render_markdown(facts)
    pruned = facts.candidate.model_copy(update={"variant": "pruned"})
    compressed = dataclasses.replace(facts, candidate=pruned, steps=(pruning(),))
    assert "int8, from the pruned model (prune 50 %)" in render_markdown(compressed)
