"""Looks at a source as a run does, and stops where decoding would begin.

Every file is read once, to be digested; what preprocess refuses up to there, the same code refuses
here. What is left is dealt out to splits, and described by a manifest without shards and without
statistics of pixels: enough for validate to judge the counts.
"""

from collections import Counter

from components.common.documents.dataset import SPLITS, DatasetManifest, Split, SplitExamples
from components.common.documents.near_copies import NO_NEAR_COPIES
from components.common.documents.oddities import NO_ODDITIES
from components.common.documents.profile import NO_PROFILE
from components.common.documents.rejects import NOTES_FILE, notes_to_jsonl
from components.common.errors import UserError
from components.common.shell.stage import Stage, Task
from components.common.tasks.describing import describe, describing_of
from components.preprocess.config import PreprocessConfig
from components.preprocess.inventory import Inventory
from components.preprocess.manifest import (
    count_notes,
    count_rejects,
    explain_rejects,
)
from components.preprocess.planning import make_plan
from components.preprocess.splits import Assignment, assign_splits
from components.preprocess.stage import list_sample, list_source, take_source_inventory


def _look(task: Task[PreprocessConfig]) -> None:
    from components.common.data.membership import (
        Membership,  # NumPy, which takes a while to import.
    )

    config, make_list = task.config, list_sample if task.config.sample else list_source
    listing = make_list(config, task.context)
    inventory = take_source_inventory(listing, config, task.context, task.events)
    message = explain_rejects(
        inventory.rejects,
        records=len(inventory.listing.records),
        max_reject_share=config.max_reject_share,
    )
    if message is not None:
        raise UserError(message)
    assignment = assign_splits(inventory.examples, config.splits)
    plan = make_plan(config, inventory, assignment)
    Membership.of(
        (example.id, example.group, split)
        for example, split in zip(inventory.examples, assignment.splits(), strict=True)
    ).write(task.output)
    DatasetManifest(
        class_names=inventory.listing.class_names,
        spec=describing_of(plan).spec_of(plan),
        compression=config.compression,
        splits=_count(assignment, inventory),
        source_fingerprint=inventory.fingerprint,
        statistics=describe(plan, (), ()),
        rejects=count_rejects(inventory.rejects),
        notes=count_notes(inventory.notes),
        passed_over=inventory.listing.passed_over,
        records=len(inventory.listing.records),
        slices=(),
        lineage=task.lineage,
    ).write(task.output)
    (task.output / NOTES_FILE).write_text(notes_to_jsonl(inventory.notes), encoding="utf-8")
    for document in (NO_NEAR_COPIES, NO_ODDITIES, NO_PROFILE):  # Only what is decoded shows them.
        document.write(task.output)


def _count(assignment: Assignment, inventory: Inventory) -> dict[Split, SplitExamples]:
    counts = {split: Counter[int]() for split in SPLITS}
    for example, split in zip(inventory.examples, assignment.splits(), strict=True):
        counts[split][example.label] += 1
    classes = len(inventory.listing.class_names)
    return {
        split: SplitExamples(
            examples=found.total(),
            shards=(),
            examples_per_class=tuple(found[label] for label in range(classes)),
        )
        for split, found in counts.items()
    }


SURVEY = Stage(
    name="preprocess", config=PreprocessConfig, output="dataset", compute=_look, reuse=False
)
"""A task of preprocess whose result is never kept in the store."""
