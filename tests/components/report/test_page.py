"""The page as a reader meets it: rendered from made-up documents and parsed again."""

import base64
import dataclasses
import html.parser
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from components.common.documents.bundle import AlikeClasses
from components.common.documents.candidate import BASELINE_ID
from components.common.documents.evaluation import DoubtfulLabel, DoubtfulLabels, Evaluation
from components.common.documents.models import Models
from components.common.documents.near_copies import NearCopies, NearCopy
from components.common.documents.oddities import OddExample, Oddities, Oddity
from components.common.documents.placed import Placed
from components.common.documents.record import TaskResult
from components.common.documents.validation import DatasetFinding
from components.report import formats, stage
from components.report.config import ReportConfig
from tests.builders.fabricate import TEST_EXAMPLES, Fabricated, fabricate
from tests.builders.models import make_models
from tests.components.propose.worlds import Search, World, make_config


class Parsed(html.parser.HTMLParser):
    """The page's text, section by section, table rows and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.sections: dict[str, list[str]] = {"": []}
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self._section = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
                self._section = value or ""
                self.sections[self._section] = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in ("meta", "img", "br", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"{tag} closes {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.sections[self._section].append(data)
        if "tr" in self._open and self.rows[-1]:
            self.rows[-1][-1] += data

    def text(self, section: str | None = None) -> str:
        parts = [
            part
            for name, found in self.sections.items()
            if section is None or name == section
            for part in found
        ]
        return " ".join(" ".join(parts).split())

    def row(self, first: str) -> str:
        """Returns the text of the first table row whose first cell reads so."""
        found = next(row for row in self.rows if row and row[0].strip() == first)
        return " ".join(" ".join(found).split())


def render(run: Fabricated, folder: Path) -> Parsed:
    page = folder / "page.html"
    stage.STAGE.run(
        **run.artifacts,
        config=run.config.to_json(),
        context=run.context.to_json(),
        page=page,
    )
    return Parsed(page.read_text(encoding="utf-8"))


def spaced(text: str) -> str:
    return text.replace(formats.SPACE, " ")


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fabricated, Parsed]:
    folder = tmp_path_factory.mktemp("blessed")
    run = fabricate(
        folder,
        class_names=[str(digit) for digit in range(10)],
        rejects=[
            ("a/1.jpg", "truncated", "ends early"),
            ("a/2.txt", "not_an_image", ""),
            ("a/3.jpg", "duplicate", "same content as a/0.jpg"),
        ],
        findings=[
            DatasetFinding(check="label_drift", severity="warn", message="Shares differ by 0.14.")
        ],
    )
    return run, render(run, folder)


def test_page_leads_with_the_verdict_and_the_winner(blessed: tuple[Fabricated, Parsed]) -> None:
    run, page = blessed
    top = page.text("")
    accuracy = run.evaluations["int8"].metrics["accuracy"]
    assert "int8 is blessed" in top
    assert run.decision.summary in top
    assert spaced(formats.percent(accuracy.value)) in top
    assert spaced(formats.percent(accuracy.low)) in top
    assert "102 kB 3.6× smaller than float32" in top
    assert "0.123 ms" in top


def test_every_candidates_row_shows_its_documents_figures(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    run, page = blessed
    for id_, evaluation in run.evaluations.items():
        row = page.row(id_)
        model = run.candidates[id_].model
        assert model is not None
        measured = next(c for c in run.benchmark.candidates if c.candidate_id == id_)
        latency = next(entry for entry in measured.latencies if entry.threads == 1)
        verdict = next(c for c in run.decision.candidates if c.candidate_id == id_)
        expected = [
            formats.percent(evaluation.metrics["accuracy"].value),
            formats.size(model.size_bytes),
            formats.size(model.zipped_bytes),
            formats.significant(latency.p50_ms),
            formats.significant(latency.p90_ms),
            formats.significant(latency.p99_ms),
            formats.size(measured.peak_memory_bytes),
            *(formats.points(c.drop) for c in verdict.comparisons),
            *(f"at most {formats.points(c.upper_bound)}" for c in verdict.comparisons),
        ]
        for figure in expected:
            assert spaced(figure) in row, (id_, figure, row)
        assert verdict.reasons[0] in page.text("candidates")


def test_the_page_tells_sizes_apart_and_where_to_answer_unknown(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    _, page = blessed
    assert "440" in page.row("1 to 16 tokens") and "10" in page.row("over 64 tokens, cut")
    text = spaced(page.text("classes"))
    assert "By size of the picture" in text and "Validation pictures answered" in text
    assert spaced(page.row("0.4321")).startswith("0.4321 78.4 % 97.0 % 56.8 %")
    assert page.row("0.4321").endswith("asked for") and "asked for" not in page.row("0")


def test_latencies_are_held_against_float32_with_an_interval(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    run, page = blessed
    ratio = next(c for c in run.benchmark.candidates if c.candidate_id == "int8").at_one_thread
    assert ratio is not None and ratio.ratio is not None
    assert (ratio.ratio.low, ratio.ratio.high) != (ratio.ratio.value, ratio.ratio.value)
    value, low, high = map(
        formats.significant, (ratio.ratio.value, ratio.ratio.low, ratio.ratio.high)
    )
    model = run.candidates["int8"].model
    assert model is not None
    packed = f"{formats.size(model.xz_bytes)} {formats.size(model.zstd_bytes)}"
    costs = f"{packed} {formats.count(model.macs)}"
    assert f"{spaced(costs)} {value} {low} to {high}" in page.text("candidates")


def test_every_candidate_says_what_was_done_to_its_model(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    fabricated, page = blessed
    for candidate in fabricated.candidates.values():
        assert candidate.words in page.text("candidates")
    assert "The two part at head <its steps are too coarse>." in page.text("candidates")


def test_steps_that_bought_nothing_are_said_aloud(blessed: tuple[Fabricated, Parsed]) -> None:
    run, page = blessed
    text = page.text("steps")
    assert all(step.message in text for step in run.decision.steps)
    assert text.index("Pruning bought nothing") < text.index("int8 makes")
    assert text.count("bought nothing") == 2  # The badge and the sentence, once each.


def test_the_ladder_says_of_every_file_what_it_bought_and_why_it_lost(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    run, page = blessed
    rows = [[cell.strip() for cell in row] for row in page.rows if row]
    (rung,) = (row for row in rows if row[0].startswith("pruned prune 50 %"))
    assert rung == ["pruned prune 50 %, 98,765 parameters"]
    (file,) = (row for row in rows if row[0] == "pruned-int8" and len(row) == 9)
    gain = next(gain for gain in run.decision.steps if gain.after == "pruned-int8")
    figures = [formats.times(gain.size_ratio), formats.points(gain.accuracy_change)]
    assert [file[4], file[5], file[8]] == ["int8", *figures]
    text = page.text("ladder")
    for verdict in run.decision.candidates:
        assert verdict.summary in text
    assert text.count("Winner") == 1


def test_a_model_stands_below_the_one_that_it_was_made_of(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    dense, pruned = (entry.bundle for entry in run.models.entries)
    # As the tasks make them: siblings before the children of either.
    models = make_models(
        {"dense": dense, "pruned": pruned, "sibling": pruned, "small": pruned, "least": pruned},
        {"small": "pruned", "least": "small"},
    )
    models.write(tmp_path / "models")
    page = render(run, tmp_path)
    rungs = re.findall(r'<tr class="rung">.*?--depth:(\d)"><span>(.*?)</span>', page.source)
    assert rungs == [
        ("0", "dense"), ("1", "pruned"), ("2", "small"), ("3", "least"), ("1", "sibling")
    ]  # fmt: skip
    assert page.text("ladder").count("no file was made of it") == 3


def test_a_searchs_log_shows_every_trial_and_why_the_others_were_not_made(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    search = Search(World(seed=3), make_config()).run()
    search.write(tmp_path / "models")
    page = render(run, tmp_path)
    text = page.text("search")
    assert f"ranked on {search.trials[0].examples:,} validation pictures" in text
    assert ", ".join(search.finalists) in text
    tried = [row for row in page.rows if row and row[0].strip().isdigit() and len(row) == 9]
    assert [row[1].strip() for row in tried] == [id_ for round_ in search.rounds for id_ in round_]
    for verdict in search.verdicts:
        assert verdict.sentence in text
    assert {"finalist", "not_tried"} < {verdict.state for verdict in search.verdicts}
    assert all(note in text for note in search.notes)


def test_a_run_that_declares_its_models_has_no_log_of_a_search(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    assert "search" not in blessed[1].ids


def test_a_run_of_one_model_has_no_ladder(tmp_path: Path) -> None:
    page = render(fabricate(tmp_path, ids=("float32", "int8")), tmp_path)
    assert "ladder" not in page.ids
    assert "#ladder" not in page.addresses


def test_the_right_class_is_among_five_unless_there_are_more(
    blessed: tuple[Fabricated, Parsed], tmp_path: Path
) -> None:
    assert "top5 accuracy" in blessed[1].text("candidates")
    text = render(fabricate(tmp_path, ids=("float32", "int8")), tmp_path).text("candidates")
    assert "macro f1" in text and "top5 accuracy" not in text


def test_a_training_is_called_by_its_model_and_steps(blessed: tuple[Fabricated, Parsed]) -> None:
    text = blessed[1].text("training")
    assert "pruned: prune 50 % small_cnn, 98,765 parameters" in text
    assert "dense small_cnn, 98,765 parameters" in text


def test_classes_table_compares_float_with_the_winner(blessed: tuple[Fabricated, Parsed]) -> None:
    run, page = blessed
    before = {m.class_name: m.recall.value for m in run.evaluations[BASELINE_ID].per_class}
    rows = [row for row in page.rows if len(row) == 8 and row[0].strip() in before]
    assert {row[0].strip() for row in rows} == set(before)
    for metrics in run.evaluations["int8"].per_class:
        row = next(row for row in rows if row[0].strip() == metrics.class_name)
        assert row[1] == str(metrics.examples)
        assert row[2] == formats.percent(before[metrics.class_name])
        assert row[3].startswith(formats.percent(metrics.recall.value))
        assert row[4] == formats.points(metrics.recall.value - before[metrics.class_name])


def test_energy_and_the_cost_of_a_million_inferences_stand_where_they_are_known(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    _, page = blessed
    heading = next(row for row in page.rows if row and row[-1].strip() == "cost of a million")
    rows = {row[0].strip(): row[-2:] for row in page.rows if len(row) == len(heading)}
    assert [cell.strip() for cell in rows["int8"]] == ["17.2", "0.00718"]
    assert [cell.strip() for cell in rows["float32"]] == ["–", "0.0251"]
    assert "on a machine at 0.42 an hour that does nothing else" in page.text("candidates")


def test_confusion_matrix_is_the_winners(blessed: tuple[Fabricated, Parsed]) -> None:
    run, page = blessed
    numbers = [row[1:] for row in page.rows if all(cell.strip().isdigit() for cell in row[1:])]
    matrix = [[int(cell) for cell in row] for row in numbers if len(row) == 10][1:]
    assert matrix == [list(row) for row in run.evaluations["int8"].confusion]


def test_mistakes_are_those_that_float_alone_gets_right(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    run, page = blessed
    before, after = run.predictions[BASELINE_ID], run.predictions["int8"]
    right = before.probabilities.argmax(1) == before.labels
    wrong = after.probabilities.argmax(1) != after.labels
    lost = int((right & wrong).sum())
    assert f"{lost} test pictures that float32 gets right are wrong in int8" in page.text(
        "mistakes"
    )
    assert page.source.count('alt="a picture of') == lost


def test_pictures_are_embedded_and_decodable(blessed: tuple[Fabricated, Parsed]) -> None:
    _, page = blessed
    pictures = [address for address in page.addresses if address.startswith("data:image/png")]
    assert len(pictures) > 12  # Three classes have four thumbnails each.
    for address in pictures:
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            assert picture.size == (16, 16)


def test_data_section_shows_splits_rejects_and_findings(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    _, page = blessed
    text = page.text("data")
    assert "12 were not square, and are cut to the square in the middle (fit: crop)" in text
    assert "listed in notes.jsonl: 3 wrong extension" in text
    assert "597 records in the source, 2 of them rejected, 1 of them copies;" in text
    assert re.search(r"Passed over in the source: 12 @eaDir ?, 1 exclude <raw> ?\.", text)
    assert "test 450 2" in page.row("test")
    assert "truncated 1 a/1.jpg ends early" in page.row("truncated")
    assert "Shares differ by 0.14." in text


def test_examples_that_are_nearly_the_same_are_shown_side_by_side(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    shards = {split: found.shards[1].path for split, found in run.manifest.splits.items()}
    one, other, third = (
        Placed(
            id=f"{split}000001", path=f"{split}/<1>.jpg", label=label, split=split,
            shard=shards[split],
        )
        for split, label in (("train", 0), ("test", 0), ("test", 1))
    )  # fmt: skip
    pairs = NearCopy(one=one, other=other), NearCopy(one=one, other=third)
    found = NearCopies(in_two_splits=2, with_two_labels=1, pairs=pairs)
    found.write(run.artifacts["dataset"])
    page = render(run, tmp_path)
    text = page.text("data")
    assert "Nearly the same train/<1>.jpg bar , train test/<1>.jpg bar , test" in text
    assert page.source.count('alt="a picture of cross"', page.source.index('id="data"')) == 1
    twins = page.source[page.source.index('class="twins') :]
    assert twins[: twins.index("</ul>")].count('<span class="bad">') == 2 + 4


def test_what_was_left_out_is_shown_though_the_manifest_lacks_its_shard(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    manifest, dataset = run.manifest, run.artifacts["dataset"]
    *shards, beside = manifest.splits["test"].shards
    splits = {
        **manifest.splits,
        "test": manifest.splits["test"].model_copy(update={"shards": tuple(shards)}),
    }
    rejects = {**manifest.rejects, "near_copy": 1}
    manifest.model_copy(update={"splits": splits, "rejects": rejects}).write(dataset)
    one, other = (
        Placed(id=f"{split}000001", path=f"{split}/1.jpg", label=0, split=split, shard=shard)
        for split, shard in (
            ("train", manifest.splits["train"].shards[1].path),
            ("test", beside.path),
        )
    )
    NearCopies(
        in_two_splits=1,
        left_out=1,
        with_two_labels=0,
        pairs=(NearCopy(one=one, other=other),),
        shards={"test": (beside,)},
    ).write(dataset)
    page = render(run, tmp_path)
    text = page.text("data")
    twins = page.source[page.source.index('class="twins') :]
    assert '<span class="bad">' not in twins[: twins.index("</ul>")]
    assert "Nearly the same 1 picture kept out of validation and test" in text
    assert "test/1.jpg bar , kept out of test" in text
    assert "records in the source, 1 of them near copies;" in text


def test_odd_examples_are_shown_with_how_they_are_odd(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    shard = run.manifest.splits["validation"].shards[0].path
    placed = Placed(
        id="validation000000", path="dim/<1>.jpg", label=1, split="validation", shard=shard
    )
    oddity = Oddity(examples=9, shown=(OddExample(placed=placed, detail="range 7"),))
    Oddities(kinds={"nearly_blank": oddity}).write(run.artifacts["dataset"])
    page = render(run, tmp_path)
    text = page.text("data")
    assert "Nearly blank 9 pictures range 7 dim/<1>.jpg cross, validation" in text
    odd = page.source[page.source.index('class="odd') :]
    assert odd[: odd.index("</ul>")].count("<img ") == 1


def test_doubtful_labels_are_shown_with_the_class_that_they_look_like(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    evaluations = run.artifacts["evaluations"]
    assert not isinstance(evaluations, Path)
    (folder,) = (path for path in evaluations if Evaluation.read(path).candidate_id == "float32")
    doubt = DoubtfulLabel(
        id="validation000001", label=1, likely=2, label_probability=0.02, likely_probability=0.97
    )
    doubtful = DoubtfulLabels(examples=7, shown=(doubt,))
    Evaluation.read(folder).model_copy(update={"doubtful": doubtful}).write(folder)
    page = render(run, tmp_path)
    text = page.text("data")
    validation = run.manifest.splits["validation"].examples
    assert f"Labels to look at 7 of {validation} validation pictures" in text
    assert "cross 2 % disc 97 % validation/1.png" in spaced(text)
    assert "sha256 validation000001" in page.source
    doubts = page.source[page.source.index('class="mistakes doubts') :]
    assert doubts[: doubts.index("</ul>")].count("<img ") == 1


def test_what_was_wrong_with_a_training_stands_where_it_is_shown(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    folder = run.artifacts["models"]
    assert isinstance(folder, Path)
    entry = run.models.entry("dense")
    bundle = entry.bundle.model_copy(update={"faults": ("The training loss exploded",)})
    Models(entries=(entry.model_copy(update={"bundle": bundle}),)).write(folder)
    assert "The training loss exploded." in render(run, tmp_path).text("training")


def test_classes_that_are_alike_are_told_with_pictures_of_both(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    folder = run.artifacts["models"]
    assert isinstance(folder, Path)
    entry = run.models.entry("dense")
    alike = AlikeClasses(
        one="bar",
        other="disc",
        strangers=148,
        neighbours=300,
        expected=151.5,
        examples="pictures",
        pairs=(("train000000", "train000002"), ("train000003", "gone")),
    )
    bundle = entry.bundle.model_copy(update={"alike_classes": (alike,)})
    Models(entries=(entry.model_copy(update={"bundle": bundle}),)).write(folder)
    page = render(run, tmp_path)
    text = spaced(page.text("data"))
    assert "alike classes bar and disc can't be told apart" in text
    assert "148 of 300 nearest neighbours are of the other class, where chance makes it 152" in text
    twins = page.source[page.source.index("<h3>Classes that are alike</h3>") :]
    twins = twins[: twins.index("</ul>")]
    assert twins.count("<img ") == 2 and "train/0.png" in twins and "train/2.png" in twins


def test_sparsity_is_joined_with_what_was_counted(blessed: tuple[Fabricated, Parsed]) -> None:
    _, page = blessed
    assert page.row("block_2") == "block_2 18,432 50.0 % 50.0 %"
    assert page.row("stem (kept dense)").endswith("0.0 % 0.0 %")


def test_run_section_lists_every_task_with_time_and_memory(
    blessed: tuple[Fabricated, Parsed],
) -> None:
    run, page = blessed
    for task in run.tasks:
        assert task.record is not None
        row = page.row(task.task)
        assert spaced(formats.seconds(task.seconds)) in row
        assert spaced(formats.size(task.record.peak_memory_bytes)) in row
    assert "examples per s 1,034" in page.row("preprocess")
    assert "numpy 2.2.0" in page.text("lineage")
    assert run.config.recipe.splitlines()[2].strip() in page.text("lineage")


def test_page_fetches_nothing_and_runs_nothing(blessed: tuple[Fabricated, Parsed]) -> None:
    _, page = blessed
    assert {address.partition(":")[0] for address in page.addresses if address[0] != "#"} == {
        "data"
    }
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert "url(" not in page.source and "@import" not in page.source


def test_anchors_lead_somewhere(blessed: tuple[Fabricated, Parsed]) -> None:
    _, page = blessed
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets == set(page.ids)


def test_the_same_documents_give_the_same_page(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    assert render(run, tmp_path).source == render(run, tmp_path).source


def test_page_is_copied_to_the_runs_folder(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    page = render(run, tmp_path)
    copy = run.context.data().read(f"{run.context.run_folder()}/report.html")
    assert copy.decode() == page.source


def test_names_with_markup_are_shown_as_text(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", 'a" onload="x', "R&D 'x'"]
    run = fabricate(
        tmp_path, class_names=names, rejects=[("<i>.jpg", "not_an_image", "<b>bad</b>")]
    )
    run = dataclasses.replace(run, config=ReportConfig(recipe="description: <u>x</u>\n"))
    page = render(run, tmp_path)
    assert "script" not in page.tags and "u" not in page.tags
    assert all(name in page.text() for name in names)
    assert "<i>.jpg" in page.text("data") and "<b>bad</b>" in page.text("data")
    assert "onload=" not in page.source.replace("onload=&#34;", "")


def test_nothing_blessed_shows_why_and_looks_into_float32(tmp_path: Path) -> None:
    run = fabricate(
        tmp_path,
        winner=None,
        verdict="not_blessed",
        unmade={"dynamic_range": "The converter refused the model."},
        unrun={"pruned-int8": "LiteRT could not load it."},
    )
    page = render(run, tmp_path)
    assert "Nothing is blessed" in page.text("")
    assert "Where float32 errs" in page.text("classes")
    assert "The converter refused the model." in page.text("candidates")
    assert page.text("candidates").count("LiteRT could not load it.") == 1
    assert "– – –" in page.row("dynamic_range")


def test_a_candidate_that_was_left_out_of_the_proof_did_not_fail(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    left_out = tmp_path / "evaluation-dynamic_range"
    evaluations = tuple(path for path in run.artifacts["evaluations"] if path != left_out)
    assert len(evaluations) < len(run.artifacts["evaluations"])
    run.artifacts["evaluations"] = evaluations
    page = render(run, tmp_path)
    assert "Not accepted" in page.row("dynamic_range")
    assert "Failed" not in page.text("candidates")
    assert "It was not evaluated." not in page.text("candidates")


def test_single_candidate_without_pruning(tmp_path: Path) -> None:
    page = render(fabricate(tmp_path, ids=("float32",), winner="float32"), tmp_path)
    assert "sparsity" not in page.ids and "mistakes" not in page.ids
    assert "the reference" in page.row("float32")


def test_float32_that_failed_still_gives_a_page(tmp_path: Path) -> None:
    run = fabricate(
        tmp_path,
        ids=("float32", "int8"),
        winner=None,
        verdict="not_blessed",
        unmade={"float32": "Out of memory.", "int8": "Out of memory."},
    )
    page = render(run, tmp_path)
    assert "classes" not in page.ids and "mistakes" not in page.ids
    assert "Out of memory." in page.text("candidates")


@pytest.mark.slow
def test_page_stays_small_with_a_thousand_classes(tmp_path: Path) -> None:
    run = fabricate(
        tmp_path,
        ids=("float32", "int8"),
        class_names=[f"class number {number}" for number in range(1000)],
        rejects=[(f"x/{number}.jpg" + "y" * 500, "truncated", "z" * 2000) for number in range(500)],
        config=ReportConfig(thumbnails_per_class=20, mistakes=100),
    )
    page = render(run, tmp_path)
    assert len(page.source) < 500_000
    assert not any(len(row) > 50 for row in page.rows)
    assert f"{1000 - TEST_EXAMPLES} classes have no test picture" in page.text("classes")


def test_cached_tasks_show_when_they_were_computed(tmp_path: Path) -> None:
    run = fabricate(tmp_path, cached=True, verdict="already_blessed")
    page = render(run, tmp_path)
    assert "int8 is already blessed" in page.text("")
    assert "0.2 s 3.5 s" in page.row("preprocess")


def test_each_task_says_whether_it_was_computed_and_why(tmp_path: Path) -> None:
    run = fabricate(tmp_path, cached=True)
    changed = "components/common/training/loop.py changed; epochs is 5, was 3; <b>bold</b>"
    for name, changes in {
        "finetune": {"status": "computed", "reason": changed},
        "benchmark": {"status": "computed"},
    }.items():
        path = tmp_path / "data" / run.context.run_folder() / "tasks" / f"{name}.json"
        result = TaskResult.parse(path.read_bytes()).model_copy(update=changes)
        path.write_text(result.to_json())
    page = render(run, tmp_path)
    assert page.row("preprocess").startswith("preprocess from the store ")
    assert page.row("finetune").startswith(f"finetune computed anew: {changed} ")
    assert page.row("benchmark").startswith("benchmark computed 0.2 s")
    assert "<b>bold</b>" not in page.source
