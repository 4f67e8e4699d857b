"""What all layouts share: which class a label means, and which file an annotation names."""

import pytest

from components.common.errors import UserError
from components.preprocess.layouts.layout import Labels


@pytest.mark.parametrize(
    ("value", "name"),
    [(0, "5"), (1, "3"), ("3", "3"), (b"5", "5"), ("2", "1"), (None, None), (-1, None), ("", None)],
)
def test_a_number_is_of_the_class_that_stands_there_whatever_classes_are_called(value, name):
    """The class of number 1 is `3`, though there is a `1`."""
    names = ("5", "3", "1")
    assert Labels(names).name_of(value, "here") == name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1", "here: the label '1' may be the class '1', or the class of number 1, which is '3'"),
        (3, "here: the label '3' is of none of the 3 classes, which are '5', '3' and '1'"),
        ("9" * 5000, "is of none of the 3 classes"),
        (b"\xff", "holds U\\+DCFF"),
        (True, "must be a text or a whole number, not True"),
        (1.0, "must be a text or a whole number, not 1.0"),
    ],
)
def test_a_label_that_means_no_class_or_two_is_refused(value, message):
    names = None if isinstance(value, bytes) else ("5", "3", "1")
    with pytest.raises(UserError, match=message):
        Labels(names).name_of(value, "here")
