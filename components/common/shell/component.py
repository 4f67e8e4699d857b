"""From a component, as KFP runs it, to its stage: artifacts become paths.

A component's signature is the one place that lists its inputs and its output.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

R = TypeVar("R")


def run_component(run: Callable[..., R], arguments: Mapping[str, Any]) -> R:
    """Runs a component's stage; returns what it returns, mostly nothing.

    Args:
      run: a Stage's, or that of a stage which prepares what its Stage is given.
      arguments: the component's, as KFP gives them: texts and artifacts, lists of artifacts, and
        None for an artifact that is not there.
    """
    return run(**{name: _without_artifacts(value) for name, value in arguments.items()})


def _without_artifacts(argument: Any) -> Any:
    match argument:
        case None | str():
            return argument
        case list():
            return tuple(map(_without_artifacts, argument))
    return Path(argument.path)
