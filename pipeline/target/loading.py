"""From a file to a target: read, validated, with absolute paths."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from components.common.errors import UserError
from pipeline.declarations.placeholders import refuse_placeholders
from pipeline.declarations.refusals import explain_problems
from pipeline.declarations.yaml_files import read_yaml
from pipeline.target.kubeflow import KubeflowTarget
from pipeline.target.vertex import VertexTarget

Target = KubeflowTarget | VertexTarget
_REACH_TASKS = {"data_root", "registry", "pipeline_root", "beam", "paths"}
"""What tasks are given as text: the run context, and a recipe's locations."""
_ADAPTER: TypeAdapter[Target] = TypeAdapter(Annotated[Target, Field(discriminator="kind")])


def load_target(name_or_path: str) -> Target:
    """Reads and validates a target.

    Args:
      name_or_path: a YAML file, or the name of one in the folder `targets`.

    Returns:
      The target, with absolute paths.

    Raises:
      UserError: there is no such file, or a key or value is refused; names each.
    """
    path = _target_path(name_or_path)
    try:
        target = _ADAPTER.validate_json(json.dumps(read_yaml(path)))
    except ValidationError as error:
        lines = explain_problems(error, Target)
        raise UserError(f"{path}: the target is refused\n{lines}") from error
    refuse_placeholders(target.model_dump(include=_REACH_TASKS), source=str(path))
    return _absolute(target, path.parent.resolve())


def target_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a target file."""
    return _ADAPTER.json_schema()


def _target_path(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    examples = "docs/targets has examples to copy"
    if path.suffix or len(path.parts) > 1:
        raise UserError(f"{name_or_path}: there is no such target file; {examples}")
    named = Path("targets", f"{name_or_path}.yaml")
    if named.is_file():
        return named
    there = ", ".join(sorted(file.stem for file in Path("targets").glob("*.yaml")))
    raise UserError(
        f"{name_or_path}: there is no targets/{name_or_path}.yaml (there: {there or 'none'}), and "
        f"no target file of that name; {examples}"
    )


def _absolute(target: Target, folder: Path) -> Target:
    update: dict[str, Any] = {
        "paths": {
            str((folder / Path(prefix).expanduser()).resolve()): location
            for prefix, location in target.paths.items()
        }
    }
    if isinstance(target, KubeflowTarget) and target.ca_file is not None:
        update["ca_file"] = str((folder / Path(target.ca_file).expanduser()).resolve())
    return target.model_copy(update=update)
