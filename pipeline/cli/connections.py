"""What commands that reach a cluster share: recipe and target that fit, and a way to the server."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from components.common.errors import UserError
from components.common.words.terminal import say

if TYPE_CHECKING:
    from pipeline.kubeflow.cluster import Cluster
    from pipeline.kubeflow.cluster_run import ClusterRun
    from pipeline.kubeflow.pods import RunPods
    from pipeline.recipe import Recipe
    from pipeline.target import KubeflowTarget, Target


def prepare(name: str, overrides: list[str], tiny: bool, target: str) -> tuple["Recipe", "Target"]:
    """Loads a recipe and a target, and refuses what can't go together."""
    from pipeline.recipe import load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency
    from pipeline.target import load_target

    recipe, where = (
        load_recipe(name, overrides, tiny=tiny, locations="elsewhere"),
        load_target(target),
    )
    places = [place for place in (recipe.data.folder, recipe.data.list) if place is not None]
    if all(Path(place).exists() for place in places):
        check_sufficiency(recipe)
    variable, machine = recipe.notify.webhook_variable, where.machine_of("notify")
    if variable is not None and variable not in {*machine.secrets, *machine.environment}:
        raise UserError(
            f"notify.webhook_variable: the target gives notify no {variable}; add "
            f"`stages: {{notify: {{secrets: {{{variable}: {{name: SECRET, key: KEY}}}}}}}}`"
        )
    return where.located(recipe), where


def kubeflow_target(target: str) -> "KubeflowTarget":
    from pipeline.target import KubeflowTarget, load_target

    where = load_target(target)
    if not isinstance(where, KubeflowTarget):
        raise UserError(
            f"{target}: of Vertex AI's runs the Google Cloud console tells: "
            f"https://console.cloud.google.com/vertex-ai/pipelines?project={where.project}"
        )
    return where


@contextlib.contextmanager
def cluster_extra() -> Iterator[None]:
    """Says which extra to install where a library of it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"this needs {error.name}, which is not installed: install requirements/cluster.lock, "
            "as docs/install.md says"
        ) from error


@contextlib.contextmanager
def connected(target: "KubeflowTarget") -> Iterator["Cluster"]:
    with cluster_extra():
        from pipeline.kubeflow.cluster import Cluster
        from pipeline.kubeflow.connection import connect
    with connect(target, os.environ) as api:
        for warning in api.warnings():
            say(f"warning: {warning}", to=sys.stderr)
        yield Cluster(api, target)


@contextlib.contextmanager
def interruptible(again: str) -> Iterator[None]:
    """Ends the process with the documented status when it is told to stop."""
    from pipeline.local.driver import Stopped, stoppable

    try:
        with stoppable():
            yield
    except Stopped as stopped:
        say(f"\nstopped waiting; what was started goes on. Again: {again}", to=sys.stderr)
        raise typer.Exit(stopped.code) from None


def pods_of(target: "KubeflowTarget", run: "ClusterRun") -> "RunPods":
    from pipeline.kubeflow.pods import RunPods

    return RunPods(target, run.kfp_id, os.environ)
