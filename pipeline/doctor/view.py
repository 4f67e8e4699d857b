"""The doctor's findings in the terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from components.common.words.figures import seconds
from pipeline.doctor.rehearsals import Finding

_FINDING_STYLES = {"fine": "green", "warning": "yellow", "failed": "red", "not tried": "dim"}


def show_findings(console: Console, findings: Iterable[Finding]) -> bool:
    """Prints the doctor's findings as they come; returns whether none failed."""
    failed, untried = 0, list[str]()
    for finding in findings:
        mark = Text(f"{finding.state:<10}", style=_FINDING_STYLES[finding.state])
        took = f"  ({seconds(finding.seconds)})" if finding.seconds is not None else ""
        name = (f"{finding.check:<16}  ", "bold")
        console.print(Text.assemble(mark, name, finding.message, (took, "dim")))
        failed += finding.state == "failed"
        untried += [finding.check] if finding.state == "not tried" else []
    ready = f"ready to run; not tried: {', '.join(untried)}" if untried else "ready to run"
    console.print(f"{failed} of the checks failed" if failed else ready)
    return not failed
