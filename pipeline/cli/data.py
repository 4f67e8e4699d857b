"""The command that looks at data before anything is made of it: `data inspect`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.cli.lite import JsonOption, lite_extra
from pipeline.cli.options import SetOption
from pipeline.terminal.console import open_console

data_app = typer.Typer(help="Look at data before a run.", no_args_is_help=True)

_LISTS = (".csv", ".tsv", ".jsonl", ".parquet")


@data_app.command("inspect")
def data_inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, a list, a tool's export, or gs://; or a recipe's .yaml.",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="The layout, as data.source.kind, where files don't tell."),
    ] = None,
    overrides: SetOption = [],  # noqa: B006
    text: Annotated[bool, typer.Option("--text", help="The data are texts.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with some of each class."),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print a schema of the data, for validate.data_schema."),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Show how a source is understood: layout, classes, splits, counts, sizes, what is left out."""
    from components.preprocess.component import infer_schema, inspect
    from pipeline.recipe import load_recipe
    from pipeline.recipe.text import write_section
    from pipeline.terminal.data_view import inspection_view

    if source.endswith((".yaml", ".yml")):
        # It may name the very schema that is to be written.
        recipe = load_recipe(source, [*overrides, "validate.data_schema=null"])
    else:
        told = [_as_override(source, kind), "data.max_examples=null", *overrides]
        recipe = load_recipe("tweets" if text else "folder", told)
    if recipe.data.sample is not None:
        raise UserError(f"{source}: is a sample of a package's, which a run writes out first")
    if schema and html is not None:
        raise UserError("give either --schema or --html: a schema has no page")
    if html is not None and not html.parent.is_dir():
        raise UserError(f"--html {html}: there is no folder {html.parent}")
    if html is not None and html.is_dir():
        raise UserError(f"--html {html}: is a folder; name a file in it")
    with (
        lite_extra("requirements/local.lock"),
        open_console(stderr=True).status("listing the source") as status,
    ):

        def report(done: int, total: int) -> None:
            status.update(f"{done:,} of {total:,} files read")

        config = recipe.data.to_json()
        if schema:
            inferred = infer_schema(config=config, report=report)
        else:
            found = inspect(config=config, html=html, report=report)
    if schema:
        say(inferred.model_dump_json(indent=2) if json_ else write_section(inferred), end="")
        return
    if json_:
        say(found.model_dump_json(indent=2))
    else:
        open_console().print(inspection_view(found))
        if html is not None:
            say(f"Some of each class: {html}")
    if found.refusal is not None:
        raise UserError(found.refusal)


def _as_override(source: str, kind: str | None) -> str:
    """Returns what a recipe would say of a source."""
    suffix = Path(source).suffix.lower()
    if kind is None and suffix == ".json":
        kind = "label_studio"
    if kind is not None:
        return f"data={json.dumps({'source': {'kind': kind, 'path': source}})}"
    return f"data.{'list' if suffix in _LISTS else 'folder'}={json.dumps(source)}"
