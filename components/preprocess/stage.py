"""The shell of preprocess: what the source holds is its identity, the data set its output."""

from collections.abc import Mapping
from pathlib import Path

from components.common.documents.dataset import DatasetManifest
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.shell.stage import Stage, Task
from components.common.words.terminal import say
from components.preprocess.config import PreprocessConfig
from components.preprocess.folders import list_folder
from components.preprocess.inventory import Inventory, take_inventory
from components.preprocess.layouts import list_stated
from components.preprocess.ledger import are_whole
from components.preprocess.lists import list_file
from components.preprocess.samples import identify_sample, write_sample
from components.preprocess.sources import Listing, describe_listing


def declare_stage() -> Stage[PreprocessConfig]:
    """Returns the stage for one task: what identify reads need not be read again by compute."""
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
        self._inventory = take_source_inventory(listing, config, events)
        return {
            "source": self._inventory.fingerprint,
            **config.examples.identify(config.encoder),
        }

    def compute(self, task: Task[PreprocessConfig]) -> Mapping[str, float]:
        inventory = self._inventory
        if inventory is None:
            listing = list_sample(task.config, task.context)
            inventory = take_source_inventory(listing, task.config, task.events)
        from components.preprocess.dataset import write_dataset

        return write_dataset(task, inventory)


def list_source(config: PreprocessConfig, run: RunContext) -> Listing:
    """Lists the folder, the list or the source that a run is given."""
    return list_stated(config, run.located)


def list_sample(config: PreprocessConfig, run: RunContext) -> Listing:
    """Writes a sample below the data root, and lists it."""
    assert config.sample is not None
    storage = run.data()
    place = storage.uri(write_sample(config.sample, storage))
    make_list = list_file if config.task == "text" else list_folder
    return make_list(place, task=config.task, exclude=config.exclude)


def take_source_inventory(listing: Listing, config: PreprocessConfig, events: Events) -> Inventory:
    """Reads every file of a listing once, and tells how far it is."""
    return take_inventory(
        listing,
        task=config.task,
        max_file_bytes=config.examples.max_file_bytes,
        max_examples=config.max_examples,
        report=lambda done, total: events.progress(done, total, "files", "reading"),
    )


def _shards_are_whole(output: Path, run: RunContext) -> bool:
    manifest = DatasetManifest.read(output)
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    return are_whole(run.data(), shards)
