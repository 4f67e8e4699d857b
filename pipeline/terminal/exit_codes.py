"""The exit statuses of `litesmith`, which scripts and CI jobs can rely on."""

import enum


class ExitCode(enum.IntEnum):
    """What the process says when it ends."""

    OK = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    NOT_BLESSED = 3
    STAGE_FAILED = 4
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "the command did its work; `run`: the model is blessed, or already was",
    ExitCode.UNEXPECTED: "an error that litesmith did not expect: please report it",
    ExitCode.BAD_INPUT: "bad input: the command line, the recipe or the data were refused; "
    "`submit --wait` and `ci`: or the verdict can't be read from here",
    ExitCode.NOT_BLESSED: "the run ended well, but no candidate met the budgets; `compare`: the "
    "drop is not proven to lie below the margin",
    ExitCode.STAGE_FAILED: "a stage failed; its message and its log are shown",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C); run again to go on",
    ExitCode.TERMINATED: "terminated (SIGTERM, or its terminal hung up); run again to go on",
}
"""One line for each, as `litesmith --help` shows them."""
