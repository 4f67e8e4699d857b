"""A run's parameters: each stage's configuration and the run's context, as texts.

The same texts go through kfp.local on a laptop, and on a cluster through KFP, Argo and
Kubernetes, each of which has marks of its own in texts. What one of them would replace is
refused, so that a recipe means everywhere what it says.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.errors import UserError
from components.common.run_context import RunContext
from pipeline.recipe.recipe import Recipe

MOST_BYTES = 96 * 1024
"""Of all parameters, as JSON. KFP's driver is given them in one argument; so are the launcher and
kfp.local's tasks a stage's own, with the addresses of all its artifacts. Linux takes 128 KiB in
one. A Workflow, of which an API server takes 2 MiB, stays far below that with so much."""


def run_parameters(recipe: Recipe, context: RunContext) -> dict[str, Any]:
    """Returns the pipeline's parameters for one run.

    Raises:
      UserError: they are too long to be handed to a task; names the longest text.
    """
    configs = {f"{stage}_config": c.to_json() for stage, c in recipe.stage_configs().items()}
    parameters = {
        "context": context.to_json(),
        "candidate_ids": list(recipe.candidate_ids()),
        **configs,
    }
    size = size_bytes(parameters)
    if size > MOST_BYTES:
        values = recipe.model_dump(mode="json", by_alias=True) | {"run": context.model_dump()}
        key, text = max(_texts(values), key=lambda each: len(each[1]))
        raise UserError(
            f"the run's parameters come to {size:,} bytes, but KFP can hand {MOST_BYTES:,} to its "
            f"tasks; the longest text is {key}, with {len(text.encode()):,} bytes, and each of a "
            "recipe's goes to its stage and to the report: shorten it"
        )
    return parameters


def size_bytes(parameters: Mapping[str, Any]) -> int:
    """Returns how long parameters are as JSON, of which Go's library escapes more than Python's."""
    text = json.dumps(parameters, ensure_ascii=False)
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))


def _texts(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yields the key and the text of every value; a list counts as one."""
    for name, value in values.items():
        key = f"{above}.{name}" if above else name
        if isinstance(value, Mapping):
            yield from _texts(value, key)
        else:
            yield key, value if isinstance(value, str) else json.dumps(value)
