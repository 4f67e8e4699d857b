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
    lines = [line.split(maxsplit=1) for line in console.export_text().splitlines() if line.strip()]
    assert [" ".join(line).split()[:2] for line in lines[1:]] == [
        ["finalist", "It"],
        ["not", "tried"],
        ["prune", "is"],
    ]
    assert "[best]" in console.export_text(clear=False) or "[best]" in str(lines)
