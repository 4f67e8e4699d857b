"""The commands for released models: list, show, diff, rollback."""

from typing import TYPE_CHECKING, Annotated

import typer

from components.common.words.terminal import say
from pipeline.cli.options import DEFAULT_DATA_ROOT, DataRootOption, RegistryOption, resolve_registry
from pipeline.terminal.console import open_console

if TYPE_CHECKING:
    from components.common.registry import Registry

models_app = typer.Typer(help="The released models.", no_args_is_help=True)

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Which model, where the registry has several."),
]


VersionArgument = Annotated[str, typer.Argument(metavar="VERSION")]


@models_app.command("list")
def models_list(
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """List the versions of every model, the oldest first."""
    from components.common.storage import open_storage
    from pipeline.runs.models import list_versions, open_model
    from pipeline.terminal.model_views import versions_table

    models = open_storage(resolve_registry(registry, data_root))
    if model is not None:
        open_model(models, model)
    versions = list_versions(models, model)
    if not versions:
        say(f"no model is published in {models.root} yet; make one with `litesmith run digits`")
        return
    open_console().print(versions_table(versions))


@models_app.command("show")
def models_show(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The blessed one, if none is named.")
    ] = None,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Show a version: its figures, its classes, what it was made from."""
    from pipeline.runs.models import show_version
    from pipeline.terminal.model_views import details_view

    open_console().print(details_view(show_version(_model(model, registry, data_root), version)))


@models_app.command("diff")
def models_diff(
    before: VersionArgument,
    after: VersionArgument,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Compare two versions: figures, data, configuration."""
    from pipeline.runs.models import diff_versions
    from pipeline.terminal.model_views import diff_view

    open_console().print(
        diff_view(diff_versions(_model(model, registry, data_root), before, after))
    )


@models_app.command("rollback")
def models_rollback(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="The one blessed before, if none is named."),
    ] = None,
    model: ModelOption = None,
    data_root: DataRootOption = DEFAULT_DATA_ROOT,
    registry: RegistryOption = None,
) -> None:
    """Bless a version again."""
    from pipeline.runs.models import roll_back
    from pipeline.terminal.model_views import rollback_view

    open_console().print(rollback_view(roll_back(_model(model, registry, data_root), version)))


def _model(model: str | None, registry: str | None, data_root: str) -> "Registry":
    from components.common.storage import open_storage
    from pipeline.runs.models import open_model

    return open_model(open_storage(resolve_registry(registry, data_root)), model)
