"""What every example of a source becomes, decided once it is known which ones are to be learned."""

from collections.abc import Iterator

from components.common.tasks.making import Plan
from components.preprocess.config import PreprocessConfig
from components.preprocess.inventory import Inventory
from components.preprocess.sources import SourceReader
from components.preprocess.splits import Assignment


def make_plan(config: PreprocessConfig, inventory: Inventory, assignment: Assignment) -> Plan:
    """Returns what the examples of a source become.

    Raises:
      UserError: what makes them so can't be read, or does not go together with the settings.
    """
    return config.examples.make_plan(
        config.encoder, lambda: _read_training(config, inventory, assignment)
    )


def _read_training(
    config: PreprocessConfig, inventory: Inventory, assignment: Assignment
) -> Iterator[bytes]:
    """Yields the content of the training split's members by their ids, which are digests."""
    read = SourceReader(inventory.listing.root, at_most=config.examples.max_file_bytes)
    placed = zip(inventory.examples, assignment.splits(), strict=True)
    training = (example for example, split in placed if split == "train")
    for example in sorted(training, key=lambda example: example.id):
        yield read(example)
