"""How the traits of examples are counted, by split and bin."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from components.preprocess.traits import count_traits
from tests.components.preprocess.folders import preprocess, write_folder


def test_the_manifest_tells_of_each_split_how_traits_are_distributed(tmp_path: Path):
    source = write_folder(tmp_path / "source", per_class=10, size=48)
    Image.new("RGB", (96, 48), "#202020").save(source / "bar" / "wide.png")
    manifest = preprocess(tmp_path, folder=str(source), image_size=32)
    traits = {trait.name: trait for trait in manifest.traits}
    counts = {name: sum(map(sum, trait.examples.values())) for name, trait in traits.items()}
    assert set(counts.values()) == {31}
    for split, found in manifest.splits.items():
        assert sum(traits["width"].examples[split]) == found.examples
    widths = np.sum([*traits["width"].examples.values()], axis=0)
    (common, wide) = np.flatnonzero(widths)
    assert widths[common] == 30 and widths[wide] == 1
    assert traits["width"].edges[wide - 1] <= 96 < traits["width"].edges[wide]
    assert np.sum([*traits["aspect"].examples.values()], axis=0)[-17] == 1


def test_texts_are_counted_by_their_characters(tmp_path: Path):
    with (tmp_path / "texts.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([["x" * (n + 1), "ab"[n % 2]] for n in range(40)])
    manifest = preprocess(tmp_path, text={}, list=str(tmp_path / "texts.csv"))
    (characters,) = (trait for trait in manifest.traits if trait.name == "characters")
    below = sum(
        count
        for counts in characters.examples.values()
        for count, edge in zip(counts, characters.edges, strict=False)
        if edge <= 16
    )
    assert below == 15


def test_what_lies_on_an_edge_is_above_it():
    traits = {"characters": np.array([1.0, 2.0, 1e9], np.float32)}
    traits["unknown"] = np.array([0, 0.98, 1], np.float32)
    characters, unknown = count_traits("text", traits, np.array([0, 0, 2], np.uint8))
    at = characters.edges.index(2.0)
    assert characters.examples["train"][0] == characters.examples["train"][at + 1] == 1
    assert characters.examples["test"][-1] == 1
    assert characters.examples["validation"] == (0,) * (len(characters.edges) + 1)
    assert unknown.examples["train"][-1] == 1
