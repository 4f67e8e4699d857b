"""The command line, called in the tests' own process."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from pipeline.cli.main import main

LITESMITH = str(Path(sys.executable).with_name("litesmith"))


def litesmith(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in this process, which spares the start of another."""
    shown, told, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(told),
        mock.patch.object(sys, "argv", [LITESMITH, *arguments]),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, shown.getvalue(), told.getvalue())
