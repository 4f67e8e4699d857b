"""The command's way in, whatever else stands on Python's path.

`pipeline` and `components` are what many call their own folders, and what PYTHONPATH names
comes before what is installed. So this module is installed beside the two under a name that
nobody else has, `litesmith_command`, and takes the entries of PYTHONPATH that hold others of
these names off the path, for this process and for all that it starts, before it imports either.
"""

import os
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import NoReturn

_OURS = ("pipeline", "components")
_KNOWN_BY = (
    os.path.join("pipeline", "local", "worker.py"),
    os.path.join("components", "preprocess", "component.py"),
)
"""Files that nobody else's packages of these names have both."""
_BAD_INPUT = 2


def main() -> None:
    """Runs the command line with litesmith's own packages."""
    try:
        _unshadow(working_folder=os.getcwd())
    except FileNotFoundError:
        _refuse("the working folder is gone; change to another one")
    from pipeline.cli.platforms import refuse_this_platform

    if (refusal := refuse_this_platform()) is not None:
        _refuse(refusal)
    from pipeline.cli.main import main as run

    run()


def _unshadow(*, working_folder: str) -> None:
    """Takes what hides litesmith's own packages off the path, or ends with its name."""
    home = _find_home()
    removable = {os.path.abspath(entry) for entry in _python_path()} | {working_folder}
    for entry in list(sys.path):
        if _is_same(entry, home):
            break
        shadow = next(_others(entry), None)
        if shadow is None:
            continue
        if os.path.abspath(entry) not in removable:
            _refuse(f"{shadow} hides litesmith's own package of that name; remove one of the two")
        sys.path.remove(entry)
    if "PYTHONPATH" in os.environ:
        kept = [e for e in _python_path() if _is_same(e, home) or not any(_others(e))]
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)


def _find_home() -> str:
    """Returns the folder with litesmith's packages: this one, or a checkout that is on the path."""
    for entry in (os.path.dirname(os.path.abspath(__file__)), *sys.path):
        if all(os.path.isfile(os.path.join(entry, path)) for path in _KNOWN_BY):
            return entry
    _refuse("litesmith's own packages are nowhere on Python's path; install it again")


def _others(entry: str) -> Iterator[str]:
    """Yields the files of a path's entry that Python would take for litesmith's packages."""
    for name in _OURS:
        spec = PathFinder.find_spec(name, [entry or os.curdir])
        # A folder without __init__.py gives way to a package further down the path.
        if spec is not None and spec.origin is not None:
            yield spec.origin


def _python_path() -> list[str]:
    return [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]


def _is_same(entry: str, folder: str) -> bool:
    return os.path.realpath(entry or os.curdir) == os.path.realpath(folder)


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(_BAD_INPUT)
