"""What is told of examples that are unlike most."""

from components.common.documents.oddities import OddExample, Oddities, Oddity
from components.common.documents.placed import Placed
from components.common.documents.text import TextStatistics
from components.common.tasks.image.findings import (
    find_nearly_blank,
    find_outliers,
    find_small_ranges,
)
from components.common.tasks.text import findings as of_texts
from tests.components.validate.manifests import check, manifest


def oddities(**kinds: int) -> Oddities:
    placed = Placed(id="0", path="a.png", label=0, split="train", shard="shards/1")
    shown = (OddExample(placed=placed, detail="so odd"),)
    return Oddities(kinds={kind: Oddity(examples=n, shown=shown) for kind, n in kinds.items()})


def test_each_kind_is_told_with_examples_and_how_odd_they_are():
    found = oddities(nearly_blank=1, small_range=7, odd_size=2, odd_brightness=1)
    (blank,) = find_nearly_blank(found)
    assert blank.startswith("1 picture is nearly blank once fitted")
    assert "a.png (so odd). Remove" in blank
    (dull,) = find_small_ranges(found)
    assert dull.startswith("7 pictures use a quarter of the intensities at most")
    size, brightness = find_outliers(found)
    assert size.startswith("2 pictures are much larger or smaller than most: a.png (so odd)")
    assert brightness.startswith("1 picture is much lighter or darker than most")


def test_nothing_is_told_where_nothing_is_odd():
    for find in (find_nearly_blank, find_small_ranges, find_outliers, of_texts.find_outliers):
        assert not list(find(oddities(other=3)))


def test_texts_are_told_by_length_and_by_what_is_known_of_them():
    found = oddities(odd_length=3, mostly_unknown=1)
    (length,) = of_texts.find_outliers(found)
    assert length.startswith("3 texts are much longer or shorter than most: a.png (so odd)")
    unknown, all_in_all = of_texts.find_unknown_tokens(TextStatistics(unknown=0.3), found)
    assert unknown.startswith("1 text is mostly [UNK]")
    assert "30.0 % of the tokens" in all_in_all


def test_each_check_is_as_severe_as_configured():
    found = oddities(nearly_blank=1, small_range=1, odd_aspect=1)
    severities = {"nearly_blank": "stop", "small_range": "ignore", "outliers": "warn"}
    findings = check(manifest(), oddities=found, **severities)
    assert [(finding.check, finding.severity) for finding in findings] == [
        ("nearly_blank", "stop"),
        ("outliers", "warn"),
    ]
