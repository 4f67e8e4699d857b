"""The commands that reach a cluster: compile, submit, ci, runs; schedule_cli has the others.

Every command imports what it needs when it is called: kfp takes a second and a half.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.cli.options import (
    DEFAULT_DATA_ROOT,
    DataRootOption,
    OptionalTargetOption,
    RecipeArgument,
    SetOption,
    TargetOption,
    TinyOption,
    resolve_registry,
    resolve_root,
)
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.kubeflow.ci import CiSummary
    from pipeline.kubeflow.cluster import Cluster
    from pipeline.kubeflow.cluster_run import ClusterRun
    from pipeline.kubeflow.pods import RunPods
    from pipeline.recipe import Recipe
    from pipeline.target.target import KubeflowTarget, Target

cluster_app = typer.Typer()
cluster_runs_app = typer.Typer()
target_app = typer.Typer(help="Look at targets: where a run is computed.", no_args_is_help=True)

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or the one that KFP gave it.")
]


@cluster_app.command("compile")
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
    loaded, where = _prepare(recipe, overrides, tiny, target)
    with cluster_extra():
        from pipeline.dag.compile import compile_dag
    text = compile_dag(prunes=loaded.prune is not None, target=where).yaml
    if output is None:
        say(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: can't be written ({error.strerror})") from error


@cluster_app.command()
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
    loaded, where = _prepare(recipe, overrides, tiny, target)
    from pipeline.target.target import KubeflowTarget

    if not isinstance(where, KubeflowTarget):
        raise typer.Exit(_submit_to_vertex(loaded, where, wait=wait))
    with connected(where) as cluster:
        from pipeline.dag.compile import compile_dag
        from pipeline.kubeflow.cluster import new_run_id

        dag = compile_dag(prunes=loaded.prune is not None, target=where)
        run = cluster.submit(loaded, where.context(new_run_id(), loaded), dag)
        say(f"{run.name} started: {run.link}")
        if wait:
            raise typer.Exit(_wait(cluster, run.kfp_id, run.name, target))


@cluster_app.command()
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


@cluster_runs_app.command("logs")
def runs_logs(
    run_id: RunArgument,
    target: TargetOption,
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="Such as finetune; else all.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="With what KFP and Argo print in the same pods.")
    ] = False,
) -> None:
    """Print what the tasks of a run on a cluster have printed, and failed drivers of theirs."""
    where = _kubeflow(target)
    with connected(where) as cluster:
        run = cluster.find(run_id)
    from pipeline.kubeflow.pods import own_lines, read_logs

    for log in read_logs(where, run.kfp_id, stage, os.environ):
        say(f"=== {log.stage} ({log.pod}, {log.phase.lower()})")
        say(log.text if all_ else own_lines(log.text))


@cluster_runs_app.command("cancel")
def runs_cancel(run_id: RunArgument, target: TargetOption) -> None:
    """End a run on a cluster."""
    with connected(_kubeflow(target)) as cluster:
        run = cluster.find(run_id)
        is_new = cluster.cancel(run)
    word = "is being cancelled" if is_new else "is being cancelled already"
    say(f"{run.name}: {word}; finished stages are kept in the store")


def list_cluster_runs(target: str, *, limit: int = 20) -> None:
    """Prints a cluster's latest runs."""
    import itertools

    with connected(_kubeflow(target)) as cluster:
        from pipeline.kubeflow.cluster_view import runs_table

        runs = list(itertools.islice(cluster.runs(), limit))
        if not runs:
            say(f"no run on {cluster.api.host} yet; start one with `litesmith submit`")
            return
        open_console().print(runs_table(runs))


def show_cluster_run(target: str, run_id: str) -> None:
    """Prints a run of a cluster: its tasks, and how it ended."""
    with connected(_kubeflow(target)) as cluster:
        from pipeline.kubeflow.cluster_view import show_end, show_run
        from pipeline.kubeflow.run_end import read_end

        latest = None if run_id else next(cluster.runs(), None)
        run = cluster.get(latest.kfp_id) if latest is not None else cluster.find(run_id)
        show_run(open_console(), run)
        if run.is_over:
            show_end(open_console(), run, read_end(run, pods_of(cluster.target, run)))


@target_app.command("validate")
def target_validate(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A target's file, or its name in targets/.")
    ],
) -> None:
    """Check a target's file."""
    from pipeline.target.target import load_target

    say(f"{target}: fine; {load_target(target).kind}")


@target_app.command("schema")
def target_schema() -> None:
    """Print the JSON Schema of target files, for an editor to check them by."""
    from pipeline.target.target import target_schema as schema

    say(json.dumps(schema(), indent=2))


# --- what commands share ------------------------------------------------------------


def _prepare(name: str, overrides: list[str], tiny: bool, target: str) -> tuple["Recipe", "Target"]:
    """Loads a recipe and a target, and refuses what can't go together."""
    from pipeline.recipe import load_recipe
    from pipeline.recipe.sufficiency import check_sufficiency
    from pipeline.target.target import load_target

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


def _kubeflow(target: str) -> "KubeflowTarget":
    from pipeline.target.target import KubeflowTarget, load_target

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


def pods_of(target: "KubeflowTarget", run: "ClusterRun") -> "RunPods":
    from pipeline.kubeflow.pods import RunPods

    return RunPods(target, run.kfp_id, os.environ)


def _submit_to_vertex(recipe: "Recipe", target: "Target", *, wait: bool) -> ExitCode:
    with cluster_extra():
        from pipeline.kubeflow.cluster import new_run_id
        from pipeline.kubeflow.run_end import read_end
        from pipeline.vertex import submit_to_vertex
    from pipeline.kubeflow.cluster_view import show_end
    from pipeline.target.target import VertexTarget

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


def _refuse_what_cannot_run(recipe: "Recipe", target: "KubeflowTarget") -> None:
    """Lets the doctor look before anything is rented.

    Raises:
      UserError: names every check that failed, with its remedy.
    """
    from pipeline.doctor.doctor import examine_places

    findings = examine_places(
        recipe, data_root=target.data_root, registry=target.registry, target=target
    )
    failed = [f"  {f.check}: {f.message}" for f in findings if f.state == "failed"]
    if failed:
        raise UserError("the run can't succeed as things stand\n" + "\n".join(failed))


def _ci_on_cluster(name: str, overrides: list[str], tiny: bool, target: str) -> "CiSummary":
    from pipeline.target.target import KubeflowTarget

    recipe, where = _prepare(name, overrides, tiny, target)
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
        dag = compile_dag(prunes=recipe.prune is not None, target=where)
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
