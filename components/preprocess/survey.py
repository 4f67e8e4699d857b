"""Looks at a source as a run would, and stops where decoding would begin.

Called by the doctor as `python -P -m components.preprocess.survey CONFIG CONTEXT`, in a
process of its own. Every file is read once, to be digested; what preprocess would refuse by
then is found by what refuses it there. Prints a Survey as JSON, on the last line.
"""

import sys
from collections import Counter

from components.common.documents import SPLITS
from components.common.errors import UserError
from components.common.events import Events
from components.common.run_context import RunContext
from components.common.surveys import Survey
from components.preprocess.config import PreprocessConfig
from components.preprocess.inventory import Inventory
from components.preprocess.manifest import explain_rejects
from components.preprocess.splits import assign_splits
from components.preprocess.stage import list_source, take_source_inventory


def main() -> None:
    config = PreprocessConfig.from_json(sys.argv[1])
    context = RunContext.model_validate_json(sys.argv[2])
    print(survey(config, context, Events("survey")).model_dump_json())


def survey(config: PreprocessConfig, context: RunContext, events: Events) -> Survey:
    """Returns what a run would find in a folder or list, without decoding a picture."""
    try:
        inventory = take_source_inventory(list_source(config, context), config, events)
        return _count(config, inventory)
    except UserError as error:
        return Survey(problem=str(error))


def _count(config: PreprocessConfig, inventory: Inventory) -> Survey:
    problem = explain_rejects(
        inventory.rejects,
        records=len(inventory.listing.records),
        max_reject_share=config.max_reject_share,
    )
    if problem is not None:
        return Survey(problem=problem)
    counts = {split: Counter[str]() for split in SPLITS}
    assignment = assign_splits(inventory.examples, config.splits)
    for example in inventory.examples:
        counts[assignment.split_of(example)][example.label] += 1
    names = inventory.listing.class_names
    return Survey(
        examples={split: {name: counts[split][name] for name in names} for split in SPLITS},
        rejected=len(inventory.rejects),
    )


if __name__ == "__main__":
    main()
