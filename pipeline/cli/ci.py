"""The command for CI jobs: run, here or on a cluster, wait, and pass or fail by the verdict."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.cli.connections import connected, pods_of, prepare
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    DataRootOption,
    OptionalTargetOption,
    RecipeArgument,
    SetOption,
    TinyOption,
    resolve_registry,
    resolve_root,
)
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.kubeflow.ci import CiSummary
    from pipeline.recipe import Recipe
    from pipeline.target import KubeflowTarget

ci_app = typer.Typer()


@ci_app.command()
def ci(
    recipe: RecipeArgument,
    target: OptionalTargetOption = None,
    local: Annotated[bool, typer.Option("--local", help="Run on this machine.")] = False,
    overrides: SetOption = [],  # noqa: B006
    tiny: TinyOption = False,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")
    ] = None,
    json_: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write a summary as JSON.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the table.")
    ] = None,
) -> None:
    """Run a recipe for a CI job: wait, report, and pass or fail by the verdict.

    Where the verdict can't be read from here, the exit status is 2.

    On GitHub Actions the table also goes to the job's summary page.
    """
    if (target is None) is not local:
        raise UserError("give either --target TARGET or --local")
    from pipeline.kubeflow.ci import Outputs, summarize_refusal, to_markdown

    page = os.environ.get("GITHUB_STEP_SUMMARY")
    outputs = Outputs(
        junit=junit, json=json_, markdown=markdown, step_summary=Path(page) if page else None
    )
    try:
        if target is None:
            summary = _ci_locally(recipe, overrides, tiny, data_root)
        else:
            summary = _ci_on_cluster(recipe, overrides, tiny, target)
    except UserError as error:
        outputs.write(summarize_refusal(recipe, str(error)))
        raise
    outputs.write(summary)
    say(to_markdown(summary), end="")
    raise typer.Exit(summary.exit_code)


def _ci_locally(name: str, overrides: list[str], tiny: bool, data_root: str) -> "CiSummary":
    from pipeline.kubeflow.ci import summarize
    from pipeline.kubeflow.run_end import RunEnd
    from pipeline.local.driver import run_locally
    from pipeline.recipe import load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency
    from pipeline.runs.folders import find_run, local_folder

    recipe = load_recipe(name, overrides, tiny=tiny)
    check_sufficiency(recipe)
    code = run_locally(
        recipe,
        data_root=resolve_root(data_root),
        registry=resolve_registry(None, data_root),
        command=sys.argv,
        console=open_console(),
    )
    run = find_run(local_folder(data_root), "")
    outcome = run.outcome()
    message = outcome.message if outcome is not None else "the run left no outcome; see its log"
    return summarize(recipe.name, run.describe().context, RunEnd(code, message, outcome))


def _ci_on_cluster(name: str, overrides: list[str], tiny: bool, target: str) -> "CiSummary":
    from pipeline.target import KubeflowTarget

    recipe, where = prepare(name, overrides, tiny, target)
    if not isinstance(where, KubeflowTarget):
        raise UserError(f"{target}: ci speaks to Kubeflow Pipelines; use `submit --wait` on Vertex")
    _refuse_what_cannot_run(recipe, where)
    with connected(where) as cluster:
        from pipeline.dag.compile import compile_dag
        from pipeline.kubeflow.ci import summarize
        from pipeline.kubeflow.cluster import new_run_id
        from pipeline.kubeflow.cluster_view import open_cluster_view
        from pipeline.kubeflow.run_end import RunEnd, read_end
        from pipeline.local.driver import Stopped, stoppable

        context = where.context(new_run_id(), recipe)
        dag = compile_dag(
            compressions=recipe.compressions(),
            search_rounds=recipe.search_rounds(),
            target=where,
        )
        run = cluster.submit(recipe, context, dag)
        say(f"{run.name} started: {run.link}")
        try:
            with stoppable(), open_cluster_view(open_console()) as show:
                run = cluster.follow(run.kfp_id, show)
        except UserError as error:
            end = RunEnd(ExitCode.BAD_INPUT, str(error), None, "how the run ended")
            return summarize(recipe.name, context, end, link=run.link)
        except Stopped as stopped:
            # A CI system that ends a job wants its work ended, not running on unseen.
            with contextlib.suppress(UserError):  # It may be over by now.
                cluster.cancel(run)
            end = RunEnd(stopped.code, "the job was stopped, and its run cancelled", None)
            return summarize(recipe.name, context, end, link=run.link)
    return summarize(recipe.name, context, read_end(run, pods_of(where, run)), link=run.link)


def _refuse_what_cannot_run(recipe: "Recipe", target: "KubeflowTarget") -> None:
    """Lets the doctor look before anything is rented.

    Raises:
      UserError: names every check that failed, with its remedy.
    """
    from pipeline.doctor import examine_places

    findings = examine_places(
        recipe, data_root=target.data_root, registry=target.registry, target=target
    )
    failed = [f"  {f.check}: {f.message}" for f in findings if f.state == "failed"]
    if failed:
        raise UserError("the run can't succeed as things stand\n" + "\n".join(failed))
