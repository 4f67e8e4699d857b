"""The commands on anybody's `.tflite`: they need no recipe, no store, and no TensorFlow."""

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from components.common.errors import UserError
from components.common.words.terminal import say
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from components.common.documents.base import Part

lite_app = typer.Typer()

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL.tflite", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Pictures, in one sub-folder per class."),
]
ListOption = Annotated[
    Path | None,
    typer.Option("--list", metavar="FILE", help="Pictures: a .csv with the columns path, label."),
]

Fit = Literal["crop", "pad", "stretch"]
FitOption = Annotated[
    Fit | None,
    typer.Option(
        "--fit",
        help="How a picture that is not square becomes one. [default: what the model's file "
        "states, or crop]",
        show_default=False,
    ),
]
MeanOption = Annotated[
    float, typer.Option("--mean", help="What the network wants of a pixel: (pixel - mean) / std.")
]
StdOption = Annotated[float, typer.Option("--std", min=1e-6, help="See --mean.")]


@contextlib.contextmanager
def lite_extra(lock: str = "requirements/lite.lock") -> Iterator[None]:
    """Says which dependencies to install where a library of them is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"this needs {error.name}, which is not installed: install {lock}, as docs/install.md "
            "says"
        ) from error


@contextlib.contextmanager
def libraries_hushed() -> Iterator[None]:
    """Keeps back what libraries write on stderr, unless something breaks that is nobody's input.

    TensorFlow tells there of the machine, in part before it can be asked not to.
    """
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except UserError:
            raise
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def print_json(found: "Part") -> None:
    say(found.model_dump_json(indent=2))


@lite_app.command()
def inspect(
    model: ModelFile,
    json_: JsonOption = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every layer and tensor, not only the largest.")
    ] = False,
) -> None:
    """Show what a `.tflite` holds: operators, bytes by tensor, overhead, layers and their cost."""
    with lite_extra():
        from components.tools.inspect import inspect as examine
    found = examine(model)
    if json_:
        print_json(found)
        return
    from pipeline.terminal.lite_views import inspection_view

    open_console().print(inspection_view(found, most=_EVERY if all_ else _FEW))


@lite_app.command()
def bench(
    model: ModelFile,
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER.tflite]", show_default=False)
    ] = None,
    threads: Annotated[
        list[int], typer.Option("--threads", min=1, max=256, help="How many; may be repeated.")
    ] = [1],  # noqa: B006
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            min=20,
            max=1_000_000,
            help="Timed runs of each model, however long they take. [default: 200, or what a "
            "minute has time for]",
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Time a model, or two that take turns: percentiles, and the ratio with its 95 % interval."""
    with lite_extra():
        from components.tools.bench import bench as time_models
    found = time_models(
        [model] if other is None else [model, other],
        threads=sorted(set(threads)),
        runs=runs or _RUNS,
        max_seconds=_SECONDS if runs is None else math.inf,
    )
    if json_:
        print_json(found)
        return
    from pipeline.terminal.lite_views import bench_view

    open_console().print(bench_view(found))


@lite_app.command()
def compare(
    model: ModelFile,
    other: Annotated[Path, typer.Argument(metavar="OTHER.tflite", show_default=False)],
    data: DataOption = None,
    list_: ListOption = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            help="The drop in accuracy to allow, as a share: 0.01 is one point. The exit status "
            "is 3 where the drop is not proven to lie below it.",
        ),
    ] = None,
    fit: FitOption = None,
    mean: MeanOption = 0.0,
    std: StdOption = 1.0,
    json_: JsonOption = False,
) -> None:
    """Compare two classifiers on the same pictures: answers lost and won, and what is proven."""
    _require_margin(margin)
    with lite_extra():
        from components.common.tasks.image.normalization import Normalization
        from components.tools.compare import compare as compare_models
        from components.tools.pictures import list_pictures
    found = compare_models(
        model,
        other,
        list_pictures(data, list_),
        fit=fit,
        normalization=Normalization(mean=mean, std=std),
        margin=margin,
    )
    if json_:
        print_json(found)
    else:
        from pipeline.terminal.lite_views import comparison_view

        open_console().print(comparison_view(found))
    if found.proven is False:
        raise typer.Exit(ExitCode.NOT_BLESSED)


@lite_app.command()
def drift(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", show_default=False)],
    model: ModelFile,
    data: DataOption = None,
    list_: ListOption = None,
    json_: JsonOption = False,
) -> None:
    """Find the layer where a `.tflite` departs from the model it was made from, and why.

    BUNDLE is a folder with bundle.json and weights.npz, as a run leaves them in its store; a
    .keras file is not taken, for loading one can run what it holds. This needs TensorFlow.
    """
    with lite_extra("requirements/train.lock"), libraries_hushed():
        from components.tools.drift import drift as trace
        from components.tools.pictures import list_pictures

        found = trace(bundle, model, list_pictures(data, list_))
    if json_:
        print_json(found)
        return
    from pipeline.terminal.lite_views import drift_view

    open_console().print(drift_view(found))


@lite_app.command()
def attach(
    model: ModelFile,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", metavar="FILE", help="One class a line, in the order of the output."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where to write the model. [default: MODEL.tflite itself]",
            show_default=False,
        ),
    ] = None,
    mean: Annotated[
        float | None,
        typer.Option(
            "--mean", help="For float32 input: what the network wants, (pixel - mean) / std."
        ),
    ] = None,
    std: Annotated[float | None, typer.Option("--std", min=1e-6, help="See --mean.")] = None,
) -> None:
    """Write labels into a classifier, as metadata that MediaPipe reads; its answers stay."""
    with lite_extra():
        from components.tools.attach import attach as attach_labels
    from components.common.storage import write_whole_file

    made = attach_labels(model, labels, mean=mean, std=std)
    place = output or model
    write_whole_file(place, made.data)
    say(f"{place}: {len(made.labels)} labels, {len(made.data):,} bytes")


@lite_app.command()
def shrink(
    model: ModelFile,
    data: DataOption = None,
    list_: ListOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where to write the smaller model. [default: MODEL-small.tflite]",
            show_default=False,
        ),
    ] = None,
    bits: Annotated[
        int,
        typer.Option("--bits", min=2, max=7, help="Of a weight; fewer pack better."),
    ] = 6,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            help="The drop in accuracy to allow, as a share: 0.01 is one point. Where the drop is "
            "not proven to lie below it, nothing is written, and the exit status is 3.",
        ),
    ] = None,
    fit: FitOption = None,
    mean: MeanOption = 0.0,
    std: StdOption = 1.0,
    json_: JsonOption = False,
) -> None:
    """Make a classifier of int8 weights pack better, and say what that costs in answers."""
    _require_margin(margin)
    with lite_extra():
        from components.common.tasks.image.normalization import Normalization
        from components.tools.pictures import list_pictures
        from components.tools.shrink import shrink as shrink_model
    from components.common.storage import write_whole_file

    place = output or model.with_name(f"{model.stem}-small.tflite")
    made = shrink_model(
        model,
        place,
        list_pictures(data, list_),
        bits=bits,
        fit=fit,
        normalization=Normalization(mean=mean, std=std),
        margin=margin,
    )
    refused = made.found.comparison.proven is False
    if not refused:
        write_whole_file(place, made.data)
    if json_:
        print_json(made.found)
    else:
        from pipeline.terminal.lite_views import shrunk_view

        open_console().print(shrunk_view(made.found))
    if refused:
        raise typer.Exit(ExitCode.NOT_BLESSED)


def _require_margin(margin: float | None) -> None:
    if margin is not None and not 0 < margin < 1:
        raise UserError(f"--margin {margin:g}: expected a share between 0 and 1; 0.01 is one point")


_FEW, _EVERY = 12, 1_000_000
_RUNS, _SECONDS = 200, 60.0
