from rich.console import Console

from components.common.documents.ladder import Ladder, RungVerdict
from pipeline.terminal.tables import search_table


def test_a_search_is_told_step_by_step_with_its_notes_last() -> None:
    verdicts = (
        RungVerdict(
            variant_id="dense",
            parent=None,
            rung="dense",
            state="finalist",
            sentence="It is [best].",
        ),
        RungVerdict(
            variant_id="cut75",
            parent="dense",
            rung="channels",
            state="not_tried",
            sentence="cut75 was not tried: cut50, which is milder, lost too much.",
        ),
    )
    ladder = Ladder(round=3, verdicts=verdicts, notes=("prune is not tried for size_bytes.",))
    console = Console(width=100, record=True)
    console.print(search_table(ladder))
    text = console.export_text()
    first = [" ".join(line.split()[:3]) for line in text.splitlines() if line.strip()]
    assert first == ["search", "finalist It is", "not tried cut75", "prune is not"]
    assert "It is [best]." in text
