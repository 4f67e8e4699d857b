"""What all layouts share: which class a label means, and which file an annotation names."""

import math

import pytest

from components.common.errors import UserError
from components.preprocess.layouts.layout import Labels, Source
from components.preprocess.sources import Sieve
from components.preprocess.trees import Tree


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "5"),
        (1, "3"),
        ("3", "3"),
        (b"5", "5"),
        ("2", "1"),
        (1.0, "3"),
        (None, None),
        (-1, None),
        (-1.0, None),
        (math.nan, None),
        ("", None),
    ],
)
def test_a_number_is_of_the_class_that_stands_there_whatever_classes_are_called(value, name):
    """The class of number 1 is `3`, though there is a `1`."""
    names = ("5", "3", "1")
    assert Labels(names).name_of(value, "here") == name


def test_of_numbers_without_names_minus_one_is_one():
    """As of sentiments that are negative, neutral or positive."""
    assert [Labels().name_of(value, "here") for value in (-1, 0, 1.0)] == ["-1", "0", "1"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1", "here: the label '1' may be the class '1', or the class of number 1, which is '3'"),
        (3, "here: the label '3' is of none of the 3 classes, which are '5', '3' and '1'"),
        ("9" * 5000, "is of none of the 3 classes"),
        (b"\xff", "holds U\\+DCFF"),
        (True, "must be text or a whole number, not True"),
        (0.5, "must be text or a whole number, not 0.5; part numbers into ranges, and name these"),
    ],
)
def test_a_label_that_means_no_class_or_two_is_refused(value, message):
    names = None if isinstance(value, bytes) else ("5", "3", "1")
    with pytest.raises(UserError, match=message):
        Labels(names).name_of(value, "here")


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("a/1.png", "a/1.png"),
        ("/home/me/b/1.png", "b/1.png"),
        ("C:\\mine\\b\\1.png", "b/1.png"),
        ("c/d/2.png", "b/2.png"),
        ("c/3.png", "c/3.png"),
        ("e\\f.png", "a/e\\f.png"),
    ],
)
def test_a_file_is_found_by_as_much_of_its_path_s_end_as_any_has(named, found):
    tree = Tree(files=["a/1.png", "b/1.png", "b/2.png", "a/e\\f.png"])
    assert Source("root", tree, Sieve(), "image").find(named) == found


def test_a_path_that_may_name_two_files_is_refused():
    source = Source("root", Tree(files=["a/1.png", "b/1.png"]), Sieve(), "image")
    with pytest.raises(UserError, match=r"c/1\.png may be a/1\.png or b/1\.png; keep one"):
        source.find("c/1.png")
