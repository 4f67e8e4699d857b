"""The shell of preprocess: what the source holds is its identity, the data set its output."""

import contextlib
import filecmp
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from components.common.digests import text_digest
from components.common.documents.dataset import DatasetManifest
from components.common.documents.near_copies import NearCopies
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.shell.results import best_effort
from components.common.shell.stage import Stage, Task
from components.common.words.terminal import say
from components.preprocess.config import PreprocessConfig
from components.preprocess.folders import list_folder
from components.preprocess.inventory import Inventory, take_inventory
from components.preprocess.labels import rename_classes
from components.preprocess.layouts import list_stated
from components.preprocess.ledger import are_whole
from components.preprocess.lists import list_file
from components.preprocess.looking import Memory
from components.preprocess.places import is_remote
from components.preprocess.samples import identify_sample, write_sample
from components.preprocess.shared_looks import PartLooker, share_looks
from components.preprocess.sources import Listing, describe_listing


def declare_stage() -> Stage[PreprocessConfig]:
    """Returns the stage for one task: what identify reads need not be read again by compute."""
    # Before NumPy is loaded: nothing here multiplies large matrices, and BLAS's threads would wait
    # for such work, busily, in every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    preprocessing = _Preprocessing()
    return Stage(
        name="preprocess",
        config=PreprocessConfig,
        output="dataset",
        identify=preprocessing.identify,
        compute=preprocessing.compute,
        verify=_shards_are_whole,
    )


class _Preprocessing:
    """One task, and the inventory that it has read."""

    def __init__(self) -> None:
        self._inventory: Inventory | None = None

    def identify(
        self, config: PreprocessConfig, run: RunContext, events: Events
    ) -> Mapping[str, str]:
        if config.sample is not None:
            return {
                "source": identify_sample(config.sample),
                **config.examples.identify(config.encoder),
            }
        listing = list_source(config, run)
        for remark in describe_listing(listing):
            say(remark)
        self._inventory = take_source_inventory(listing, config, run, events)
        return {
            "source": self._inventory.fingerprint,
            **config.examples.identify(config.encoder),
        }

    def compute(self, task: Task[PreprocessConfig]) -> Mapping[str, float]:
        inventory = self._inventory
        if inventory is None:
            listing = list_sample(task.config, task.context)
            inventory = take_source_inventory(listing, task.config, task.context, task.events)
        from components.preprocess.dataset import write_dataset

        return write_dataset(task, inventory)


def list_source(config: PreprocessConfig, run: RunContext) -> Listing:
    """Lists the folder, the list or the source that a run is given."""
    return rename_classes(list_stated(config, run.located), config.labels)


def list_sample(config: PreprocessConfig, run: RunContext) -> Listing:
    """Writes a sample below the data root, and lists it."""
    assert config.sample is not None
    storage = run.data()
    place = storage.uri(write_sample(config.sample, storage))
    make_list = list_file if config.task == "text" else list_folder
    found = make_list(place, task=config.task, exclude=config.exclude)
    return rename_classes(found, config.labels)


def take_source_inventory(
    listing: Listing, config: PreprocessConfig, run: RunContext, events: Events
) -> Inventory:
    """Digests the files of a listing that changed since the last time, and tells how far it is.

    A fresh run digests all of them.
    """
    max_file_bytes = config.examples.max_file_bytes
    with _remembered(listing.root, run) as memory:
        if run.beam_options and is_remote(listing.root):
            looker = PartLooker(listing.root, max_file_bytes, config.task, run.data_root)
            folder = f"{run.run_folder()}/orders"
            memory = share_looks(listing, memory, looker, folder=folder, options=run.beam_options)
        return take_inventory(
            listing,
            task=config.task,
            max_file_bytes=max_file_bytes,
            max_examples=config.max_examples,
            memory=memory,
            report=lambda done, total: events.progress(done, total, "files", "reading"),
        )


@contextlib.contextmanager
def _remembered(root: str, run: RunContext) -> Iterator[Memory]:
    """Brings what is known of a source's files, and keeps what is known afterwards."""
    place = root if is_remote(root) else str(Path(root).resolve())
    storage, name = run.data(), f"digests/{text_digest(place)[:32]}.jsonl"
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="litesmith-digests-"))
        recalled, left = None, Path(folder, "left")
        if not run.fresh:
            with contextlib.suppress(FileNotFoundError):
                recalled = stack.enter_context(storage.reading(name))
        yield Memory(recalled, left)
        if recalled is None or not filecmp.cmp(recalled, left, shallow=False):
            with best_effort():
                storage.upload(left, name)


def _shards_are_whole(output: Path, run: RunContext) -> bool:
    manifest = DatasetManifest.read(output)
    whole = NearCopies.read(output).beside(manifest)
    shards = [shard for split in whole.splits.values() for shard in split.shards]
    return are_whole(run.data(), shards)
