"""Names that read alike."""

import pytest

from components.validate.names import find_similar_names


@pytest.mark.parametrize(
    "names",
    [
        ("Cat", "cat"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAF\u00c9", "cafe\u0301"),
        ("Stra\u00dfe", "STRASSE"),
        ("dog", " dog "),
        ("dog  large", "dog large"),
        ("dog\u00a0large", "dog large"),
    ],
)
def test_names_that_read_alike_are_told_apart(names):
    (message,) = find_similar_names(("bird", *names, "mouse"))
    assert message.startswith(f"{ascii(names[0])} and {ascii(names[1])} read alike")
    assert "are 2 classes" in message and "one name" in message


def test_names_that_differ_are_no_finding():
    assert list(find_similar_names(("cat", "cats", "caf\u00e9", "cafe", "1", "l", "dog"))) == []
