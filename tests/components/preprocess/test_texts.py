"""Texts in lists and folders become examples of token ids, and what can't is rejected."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.data.examples import read_split
from components.common.documents.dataset import DatasetManifest
from components.common.documents.rejects import read_notes, read_rejects
from components.common.errors import UserError
from components.common.storage import LocalStorage
from components.common.tasks.text.features import Example, decode_example
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import parse_vocabulary
from components.preprocess.lists import list_file
from tests.components.preprocess.folders import last_result, preprocess

WORDS = "the quick brown fox jumps over a lazy dog and runs home".split()


def sentences(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [f"{' '.join(chance.choices(WORDS, k=6))} {number}" for number in range(count)]


def write_list(folder: Path, rows: list[dict[str, Any]], name: str = "texts.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def labelled(texts: list[str]) -> list[dict[str, Any]]:
    return [{"text": text, "label": "ab"[index % 2]} for index, text in enumerate(texts)]


def make(work: Path, **config: Any) -> DatasetManifest:
    return preprocess(work, **{"text": {}, **config})


def read_all(work: Path, manifest: DatasetManifest) -> dict[str, list[Example]]:
    storage = LocalStorage(str(work / "data"))
    return {
        split: list(read_split(manifest, split, storage, decode_example))
        for split in manifest.splits
    }


def test_a_text_lies_in_its_example_as_a_device_feeds_it(tmp_path: Path) -> None:
    texts = [*sentences(40), "Ça va, café?", "Unaffable\u200bwords"]
    manifest = make(tmp_path, list=write_list(tmp_path, labelled(texts)))
    assert manifest.spec.length == 16
    vocabulary = parse_vocabulary((tmp_path / "dataset" / "vocab.txt").read_bytes(), source="v")
    tokenizer = TextTokenizer(vocabulary, 16)
    examples = [example for split in read_all(tmp_path, manifest).values() for example in split]
    assert sorted(example.text for example in examples) == sorted(texts)
    for example in examples:
        tokens = tokenizer.encode(example.text)
        assert example.input_ids == tokens.ids
        assert example.input_mask == [1] * tokens.count + [0] * (16 - tokens.count)
        assert example.segment_ids == [0] * 16
        assert example.label == texts.index(example.text) % 2


def test_csv_jsonl_and_parquet_are_the_same_data_set(tmp_path: Path) -> None:
    rows = labelled(
        ["one, two", 'said "no"', "two\nlines", "\u202eright to left", "naïve 🙂", "x" * 200_000]
    )
    for row, split in zip(rows, ("train", "test", "", "train", "validation", ""), strict=True):
        row |= {"split": split, "group": "", "slice": "s"}
    write_list(tmp_path, rows, "l.jsonl")
    quoted = [
        [f'"{value}"' for value in (v.replace('"', '""') for v in row.values())] for row in rows
    ]
    lines = ["\ufeffsentence,label,split,group,slice", *map(",".join, quoted)]
    (tmp_path / "l.csv").write_text("\n".join(lines) + "\n", "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "l.parquet")
    listings = [
        list_file(str(tmp_path / f"l.{kind}"), task="text") for kind in ("jsonl", "csv", "parquet")
    ]
    for listing in listings:
        told = [(r.text, r.label, r.split, r.slice) for r in sorted(listing.records, key=str)]
        assert sorted(told, key=str) == sorted(
            ((row["text"], row["label"], row["split"] or None, "s") for row in rows), key=str
        )


def test_folders_of_files_are_classes_of_texts(tmp_path: Path) -> None:
    for index, text in enumerate(sentences(30)):
        path = tmp_path / "source" / "ab"[index % 2] / f"{index}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xef\xbb\xbf" * (index % 3 == 0) + text.encode())
    (tmp_path / "source" / "README.md").write_text("Not a text.")
    manifest = make(tmp_path, folder=str(tmp_path / "source"))
    texts = [example.text for split in read_all(tmp_path, manifest).values() for example in split]
    assert sorted(texts) == sorted(sentences(30))
    assert manifest.class_names == ("a", "b")


def test_what_is_no_text_is_rejected_with_its_reason(tmp_path: Path) -> None:
    odd = {
        "empty": b"",
        "blank": b" \n\t\xc2\xa0\n",
        "latin": "café".encode("latin-1"),
        "wide": "text".encode("utf-16"),
        "huge": b"word " * 2_000,
        "control": b"\x01\x02\x1b",
    }
    for name, data in {**{str(i): s.encode() for i, s in enumerate(sentences(40))}, **odd}.items():
        path = tmp_path / "source" / "ab"[len(name) % 2] / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    manifest = make(
        tmp_path, folder=str(tmp_path / "source"), max_reject_share=0.5, text={"max_bytes": 5_000}
    )
    found = {Path(r.path).stem: (r.reason, r.detail) for r in read_rejects(tmp_path / "dataset")}
    assert found == {
        "empty": ("empty", "has no bytes"),
        "blank": ("empty", "has nothing but white space"),
        "latin": ("unreadable", "is not UTF-8 text: unexpected end of data at byte 3"),
        "wide": ("unreadable", "is text in UTF-16 or UTF-32; save it as UTF-8"),
        "huge": ("oversized", "has 10000 bytes, where 5000 are the most that are read"),
    }
    assert sum(split.examples for split in manifest.splits.values()) == 41


def test_a_listed_text_is_rejected_by_its_line(tmp_path: Path) -> None:
    rows = labelled(sentences(40))
    rows[3]["text"], rows[7]["text"], rows[9]["text"] = "", "half \ud800", rows[11]["text"]
    path = write_list(tmp_path, rows)
    make(tmp_path, list=path, max_reject_share=0.5)
    found = {r.path: r.reason for r in read_rejects(tmp_path / "dataset")}
    assert found == {
        "texts.jsonl, line 4": "empty",
        "texts.jsonl, line 8": "unreadable",
        "texts.jsonl, line 12": "duplicate",
    } or found == {
        "texts.jsonl, line 4": "empty",
        "texts.jsonl, line 8": "unreadable",
        "texts.jsonl, line 10": "duplicate",
    }


@pytest.mark.slow
def test_texts_that_a_model_takes_for_the_same_never_straddle_splits(tmp_path: Path) -> None:
    texts = sentences(60)
    twins = [text.upper().replace(" ", "\n ") for text in texts[:30]]
    manifest = make(tmp_path, list=write_list(tmp_path, labelled(texts + twins)))
    seen = Counter[tuple[int, ...]]()
    for examples in read_all(tmp_path, manifest).values():
        seen.update({tuple(example.input_ids) for example in examples})
    assert len(seen) == 60
    assert set(seen.values()) == {1}
    (detail,) = {r.detail.partition(" as ")[0] for r in read_rejects(tmp_path / "dataset")}
    assert detail == "same tokens"
    assert not read_notes(tmp_path / "dataset")


@pytest.mark.parametrize(
    ("long", "expected", "cut"),
    [(2, 32, 0.0), (1, 16, 1 / 200), pytest.param(0, 16, 0.0, marks=pytest.mark.slow)],
)
def test_the_automatic_length_holds_99_of_100_training_texts(
    tmp_path: Path, long: int, expected: int, cut: float
) -> None:
    texts = [*sentences(200 - long), *(" ".join([*WORDS, *WORDS, str(n)]) for n in range(long))]
    rows = [{**row, "split": "train"} for row in labelled(texts)]
    rows += [{**row, "split": split} for split in ("validation", "test")
             for row in labelled(sentences(4, seed=len(split)))]  # fmt: skip
    manifest = make(tmp_path, list=write_list(tmp_path, rows))
    assert manifest.spec.length == expected
    assert manifest.statistics.cut == pytest.approx(cut)
    assert sum(manifest.statistics.lengths) == 200


@pytest.mark.slow
def test_another_length_or_list_makes_other_shards_and_the_same_one_none(tmp_path: Path) -> None:
    path = write_list(tmp_path, labelled(sentences(40)))
    first = make(tmp_path, list=path)
    assert make(tmp_path, list=path).splits == first.splits
    longer = make(tmp_path, list=path, text={"length": 32})
    assert longer.spec.length == 32
    assert not {s.path for v in longer.splits.values() for s in v.shards} & {
        s.path for v in first.splits.values() for s in v.shards
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"text": "a", "label": 0.5}],
            "line 1: the label must be text or a whole number, not 0.5; part",
        ),
        ([{"text": 3, "label": "a"}], "line 1: text must be text, not 3"),
        (
            [{"path": "a", "label": "a"}],
            "line 1: there is no 'text', only 'path'; expected the columns text,",
        ),
        ([{"text": "a", "label": "x"}, {"text": "b", "label": "x"}], "has a single class, 'x'"),
        (
            [{"text": f"t{n}", "label": f"{n / 7:.3f}"} for n in range(1, 40)],
            "the labels are numbers such as 0.143, .* expected the names of classes",
        ),
        ([{"text": "a", "sentence": "b", "label": "x"}], "line 1: 'text' stands twice"),
    ],
)
def test_a_list_that_teaches_nothing_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        list_file(write_list(tmp_path, rows), task="text")


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(UserError, match=r"l\.parquet: is no Parquet file that can be read"):
        list_file(str(tmp_path / "l.parquet"), task="text")


def test_a_length_over_the_positions_is_refused(tmp_path: Path) -> None:
    path = write_list(tmp_path, labelled(sentences(20)))
    with pytest.raises(SystemExit):
        make(tmp_path, list=path, text={"length": 1024})
    assert "knows 512 positions, which a length of 1024" in last_result(tmp_path).message
