import pytest

from components.common.errors import UserError
from components.common.tasks.text.vocabulary import Vocabulary, parse_vocabulary

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def test_a_vocabulary_is_read_as_it_is_written() -> None:
    tokens = (*SPECIAL, "a", "##b", "é", "a\u2028b", "\u00a0")
    vocabulary = Vocabulary(tokens)
    assert parse_vocabulary(vocabulary.to_bytes(), source="vocab.txt") == vocabulary
    assert vocabulary.ids["é"] == 6


@pytest.mark.parametrize("data", ["\ufeff{}\r\na\r\n", "{}\na", "{}\na\n\n"])
def test_line_ends_and_marks_of_editors_are_no_part_of_tokens(data: str) -> None:
    data = data.format("\r\n".join(SPECIAL) if "\r" in data else "\n".join(SPECIAL))
    assert parse_vocabulary(data.encode(), source="v").tokens == (*SPECIAL, "a")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((*SPECIAL, "a", "", "b"), "v, line 6: is empty; a device skips such a line"),
        ((*SPECIAL, "a", "[PAD]"), r"v, line 6: the token '\[PAD\]' stands on line 1, too"),
        (SPECIAL[2:], r"v: there is no \[UNK\]; expected the vocabulary of a BERT encoder"),
        ((*SPECIAL[:2], "[SEP]"), r"v: there is no \[CLS\]"),
        (SPECIAL[:3], r"v: there is no \[SEP\]"),
        (("\udcff",), "v: is not UTF-8 text"),
    ],
)
def test_what_no_device_could_use_is_refused(lines: tuple[str, ...], message: str) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogateescape")
    with pytest.raises(UserError, match=message):
        parse_vocabulary(data, source="v")


def test_a_file_of_any_size_is_not_taken_for_a_vocabulary() -> None:
    with pytest.raises(UserError, match="up to 16,777,216 bytes"):
        parse_vocabulary(b"a" * (16 << 20) + b"bc", source="v")
