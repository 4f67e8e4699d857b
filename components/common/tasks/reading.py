"""The facet by which examples are read back from shards, and fed to a model as a device would."""

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from components.common.data.examples import Labelled, read_split
from components.common.documents.bundle import ModelInput
from components.common.documents.candidate import TFLiteModel
from components.common.documents.dataset import DatasetManifest, ExampleSpec, Split, TaskName
from components.common.storage import Storage


class Reading(Protocol):
    """What `reading` in a task's package looks like; a `spec` is the task's own ExampleSpec."""

    def decode_example(self, serialized: bytes, /) -> Labelled:
        """Parses a record.

        Raises:
          ValueError: it is no such example.
        """

    def device_input(self, spec: Any, model: Path | None, /) -> Callable[[Any], npt.NDArray[Any]]:
        """Returns what makes of an example what a device feeds a model: one array.

        Where a model takes several tensors, the array has a row for each, in the order of the
        tensors' names.

        Args:
          spec: how examples are read.
          model: a `.tflite` file, whose metadata may say otherwise; None where there is none yet.
        """

    def read_for(self, spec: Any, model: Any, /) -> Any:
        """Returns how examples are read for a model.

        Args:
          spec: how they lie in the shards.
          model: what the model expects, the task's own ModelInput.
        """

    def explain_misfit(self, model: TFLiteModel, spec: Any, trained_on: Any, /) -> str:
        """Returns how a file takes other examples than these; nothing, where it takes them.

        Args:
          model: the file.
          spec: how the examples lie in the shards.
          trained_on: how those lay that the model was trained on; None where nobody knows.
        """


def read_examples(
    manifest: DatasetManifest,
    split: Split,
    storage: Storage,
    *,
    of: Container[str] | None = None,
) -> Iterator[Labelled]:
    """Yields a split's examples in the order of its shards.

    Args:
      manifest: the data set.
      split: which part of it.
      storage: where the shards lie.
      of: paths of the shards to read; None reads all.

    Raises:
      UserError: a shard is missing or damaged.
    """
    return read_split(manifest, split, storage, _of(manifest.task).decode_example, of=of)


def device_input(
    manifest: DatasetManifest, model: Path | None = None
) -> Callable[[Labelled], npt.NDArray[Any]]:
    """Returns what makes of a data set's example what a device feeds a model; see `Reading`."""
    return _of(manifest.task).device_input(manifest.spec, model)


def read_for(manifest: DatasetManifest, model: ModelInput) -> DatasetManifest:
    """Returns a data set whose examples are read as a model expects them."""
    spec: ExampleSpec = _of(manifest.task).read_for(manifest.spec, model)
    return manifest.model_copy(update={"spec": spec})


def explain_misfit(
    model: TFLiteModel, manifest: DatasetManifest, *, trained_on: DatasetManifest | None
) -> str:
    """Returns how a file takes other examples than a data set's; nothing, where it takes them."""
    own = trained_on.spec if trained_on is not None else None
    if own is not None and own.task != manifest.task:
        return f"it is of the task {own.task}, the data set is of {manifest.task}"
    return _of(manifest.task).explain_misfit(model, manifest.spec, own)


def _image() -> Reading:
    from components.common.tasks.image import reading

    return reading


def _text() -> Reading:
    from components.common.tasks.text import reading

    return reading


_TASKS: Mapping[TaskName, Callable[[], Reading]] = {"image": _image, "text": _text}


def _of(task: TaskName) -> Reading:
    return _TASKS[task]()
