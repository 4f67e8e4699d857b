"""The script of a text is that of most of its letters."""

import pytest

from components.common.tasks.text.scripts import find_script


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("a word", "LATIN"),
        ("слово, word", "CYRILLIC"),
        ("word, слово", "CYRILLIC"),
        ("слов, word", "CYRILLIC"),  # As many of both: what comes first.
        ("word, слов", "LATIN"),
        ("1 + 1 = 2", "none"),
        ("", "none"),
        ("a" * 1000 + "я" * 2000, "LATIN"),
    ],
)
def test_a_text_is_in_the_script_of_most_letters(text, script):
    assert find_script(text) == script
