"""Tables in Markdown: cells are others' words, and end neither their cell nor their row."""

from components.common.words.markdown import markdown_table


def test_a_table_has_a_line_for_its_headings_and_one_for_each_row() -> None:
    assert markdown_table(["Class", "Recall"], [("disc", "95.0 %"), ("bar", "-")]) == (
        "| Class | Recall |\n|---|---|\n| disc | 95.0 % |\n| bar | - |"
    )


def test_cells_show_what_they_are_given() -> None:
    *_, row = markdown_table(["", ""], [("a|b\nc", "<b>[x](y)")]).splitlines()
    assert row == "| a\\|b c | &lt;b>[x\\](y) |"
