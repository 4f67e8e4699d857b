"""From a component, as KFP runs it, to its stage: artifacts become paths.

A component's signature is the one place that lists its inputs and its output.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from components.common.shell.stage import Stage


def run_component(stage: Stage[Any] | ModuleType, arguments: Mapping[str, Any]) -> None:
    """Runs a component's stage.

    Args:
      stage: what to run: a Stage, or a module whose `run` prepares what a Stage is given.
      arguments: the component's, as KFP gives them: texts and artifacts, lists of artifacts, and
        None for an artifact that is not there.
    """
    stage.run(**{name: _without_artifacts(value) for name, value in arguments.items()})


def _without_artifacts(argument: Any) -> Any:
    match argument:
        case None | str():
            return argument
        case list():
            return tuple(map(_without_artifacts, argument))
    return Path(argument.path)
