"""The commands that compile a recipe's pipeline and run it on a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.cli.connections import cluster_extra, connected, interruptible, pods_of, prepare
from pipeline.cli.options import RecipeArgument, SetOption, TargetOption, TinyOption
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.kubeflow.cluster import Cluster
    from pipeline.recipe import Recipe
    from pipeline.target import Target

submission_app = typer.Typer()


@submission_app.command("compile")
def compile_(
    recipe: RecipeArgument,
    target: TargetOption,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write there, not to the terminal."),
    ] = None,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    tiny: TinyOption = False,
) -> None:
    """Write the pipeline of a recipe as KFP's YAML, for a target."""
    loaded, where = prepare(recipe, overrides, tiny, target)
    with cluster_extra():
        from pipeline.dag.compile import compile_dag
    text = compile_dag(
        compressions=loaded.compressions(),
        search_rounds=loaded.search_rounds(),
        target=where,
    ).yaml
    if output is None:
        say(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: can't be written ({error.strerror})") from error


@submission_app.command()
def submit(
    recipe: RecipeArgument,
    target: TargetOption,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow the run; the exit status is its verdict's, 2 if that can't be read.",
        ),
    ] = False,
) -> None:
    """Run a recipe's pipeline on a cluster."""
    loaded, where = prepare(recipe, overrides, tiny, target)
    from pipeline.target import KubeflowTarget

    if not isinstance(where, KubeflowTarget):
        raise typer.Exit(_submit_to_vertex(loaded, where, wait=wait))
    with connected(where) as cluster:
        from pipeline.dag.compile import compile_dag
        from pipeline.kubeflow.cluster import new_run_id

        dag = compile_dag(
            compressions=loaded.compressions(),
            search_rounds=loaded.search_rounds(),
            target=where,
        )
        run = cluster.submit(loaded, where.context(new_run_id(), loaded), dag)
        say(f"{run.name} started: {run.link}")
        if wait:
            raise typer.Exit(_wait(cluster, run.kfp_id, run.name, target))


def _wait(cluster: "Cluster", kfp_id: str, name: str, target: str) -> ExitCode:
    from pipeline.kubeflow.cluster_view import open_cluster_view, show_end
    from pipeline.kubeflow.run_end import read_end

    with (
        interruptible(f"`litesmith runs show {name} --target {target}`, or `runs cancel`"),
        open_cluster_view(open_console()) as show,
    ):
        run = cluster.follow(kfp_id, show)
    end = read_end(run, pods_of(cluster.target, run))
    show_end(open_console(), run, end)
    return end.code


def _submit_to_vertex(recipe: "Recipe", target: "Target", *, wait: bool) -> ExitCode:
    with cluster_extra():
        from pipeline.kubeflow.cluster import new_run_id
        from pipeline.kubeflow.run_end import read_end
        from pipeline.vertex import submit_to_vertex
    from pipeline.kubeflow.cluster_view import show_end
    from pipeline.target import VertexTarget

    assert isinstance(target, VertexTarget)  # There are two kinds of targets.
    job = submit_to_vertex(recipe, target.context(new_run_id(), recipe), target)
    run = job.look()
    say(f"{run.name} started: {run.link}")
    if not wait:
        return ExitCode.OK
    with interruptible(f"see {run.link}"):
        run = job.wait()
    end = read_end(run)
    show_end(open_console(), run, end)
    return end.code
