"""The data set of one task: writes the shards that are missing, and the manifest of all."""

import dataclasses
import functools
import time
import uuid
from collections.abc import Mapping, Sequence

from components.common.documents.dataset import DatasetManifest
from components.common.documents.paths import write_paths
from components.common.documents.rejects import (
    NOTES_FILE,
    REJECTS_FILE,
    Note,
    Reject,
    notes_to_jsonl,
    rejects_to_jsonl,
)
from components.common.errors import UserError
from components.common.shell.stage import Task
from components.common.tasks.describing import describing_of
from components.common.tasks.making import Plan
from components.common.tasks.sources import sources_of
from components.common.words.figures import size
from components.common.words.terminal import say
from components.preprocess.alike import Alike, find_alike, name_shards
from components.preprocess.assignment import ShardPlan, plan_shards
from components.preprocess.config import PreprocessConfig
from components.preprocess.copies import leave_out
from components.preprocess.formers import Formers
from components.preprocess.inventory import Inventory
from components.preprocess.ledger import (
    ShardRecord,
    find_whole_shards,
    read_formers,
    read_index,
    read_records,
    write_formers,
)
from components.preprocess.manifest import (
    build_manifest,
    collect_rejects,
    explain_rejects,
    paths_of,
)
from components.preprocess.oddities import find_oddities
from components.preprocess.orders import placed_orders
from components.preprocess.planning import make_plan
from components.preprocess.pool import run_pool
from components.preprocess.profile import find_profile
from components.preprocess.sketched import read_sketched
from components.preprocess.splits import assign_splits
from components.preprocess.tasks import ShardTask, digest_plan, make_task
from components.preprocess.traits import count_traits
from components.preprocess.writer import Effort, ShardWriter


def write_dataset(task: Task[PreprocessConfig], inventory: Inventory) -> Mapping[str, float]:
    """Writes the shards that are not there yet, the manifest, and the rejects.

    Args:
      task: what to do, and where.
      inventory: of the source.

    Returns:
      How many examples and shards were written, and how fast.

    Raises:
      UserError: too many records are rejected, a group is stated to be in two splits, or no
        training example is left.
    """
    config = task.config
    _check_rejects(task, inventory, inventory.rejects)
    assignment = assign_splits(inventory.examples, config.splits)
    for split in assignment.carved:
        say(f"no record states {split}: it is taken out of the training records")
    started = time.monotonic()
    plan = make_plan(config, inventory, assignment)
    plans = plan_shards(inventory.examples, assignment, training_shards=config.shards)
    shards = _write_distinct(task, inventory, plan, plans)
    seconds = time.monotonic() - started
    inventory = _with_findings(inventory, shards)
    rejects = collect_rejects(inventory, shards.tasks, shards.records)
    _check_rejects(task, inventory, rejects)
    manifest = build_manifest(
        config, plan, inventory, shards.tasks, shards.records, lineage=task.lineage
    )
    _write_manifest(task, shards, manifest)
    for name, content in describing_of(plan).files_of(plan).items():
        (task.output / name).write_bytes(content)
    (task.output / REJECTS_FILE).write_text(rejects_to_jsonl(rejects), encoding="utf-8")
    (task.output / NOTES_FILE).write_text(notes_to_jsonl(inventory.notes), encoding="utf-8")
    _write_membership(task, shards.plans)
    _write_paths(task, shards.plans)
    effort, made = shards.effort, {shard.path for shard in shards.made}
    examples = _name_examples(task)
    return {
        examples: float(effort.members),
        f"{examples}_taken_over": float(effort.taken_over),
        f"{examples}_per_s": effort.members / seconds,
        "shards_written": float(len(made)),
        "shards_kept": float(sum(shard.path not in made for shard in shards.tasks)),
    }


def _name_examples(task: Task[PreprocessConfig]) -> str:
    return sources_of(task.config.task).EXAMPLES


@dataclasses.dataclass(frozen=True)
class _Shards:
    """The shards of a data set, no example of which stands in two splits."""

    plans: Sequence[ShardPlan]
    tasks: Sequence[ShardTask]
    records: Mapping[str, ShardRecord]
    """By the shard's path."""
    made: Sequence[ShardTask]
    """What was not there yet, some of it with copies that are left out of the shards."""
    alike: Alike
    effort: Effort
    """Made anew or taken over, copies among them."""


def _write_distinct(
    task: Task[PreprocessConfig], inventory: Inventory, plan: Plan, plans: Sequence[ShardPlan]
) -> _Shards:
    """Makes all shards, and those again, without the copies, that hold another split's examples."""
    storage, digest = task.context.data(), digest_plan(plan, compression=task.config.compression)
    formers = Formers() if task.context.fresh else read_formers(storage, digest)
    tasks = with_copies = _make_tasks(task, inventory, plan, plans, formers)
    records, made, effort = _write_shards(task, inventory, plan, tasks)
    alike = find_alike(
        task.config.task,
        tasks,
        records,
        functools.partial(read_index, storage),
        class_names=inventory.listing.class_names,
        near_copies=task.config.near_copies,
    )
    if alike.left_out:
        plans = leave_out(plans, alike.left_out)
        whole = Formers().with_latest([shard.path for shard in with_copies])
        tasks = _make_tasks(task, inventory, plan, plans, whole)
        changed = [shard for shard in tasks if shard.path not in records]
        further, made_again, effort_again = _write_shards(task, inventory, plan, changed)
        records, made = {**records, **further}, [*made, *made_again]
        effort += effort_again
        near = name_shards(alike.near, with_copies, tasks, records)
        alike = dataclasses.replace(alike, near=near)
    latest = [shard.path for shard in [*with_copies, *tasks]]
    write_formers(storage, digest, formers.with_latest(latest))
    return _Shards(plans, tasks, records, made, alike, effort)


def _make_tasks(
    task: Task[PreprocessConfig],
    inventory: Inventory,
    plan: Plan,
    plans: Sequence[ShardPlan],
    formers: Formers,
) -> list[ShardTask]:
    return [
        make_task(
            shard,
            classes=len(inventory.listing.class_names),
            examples=plan,
            compression=task.config.compression,
            former=formers.of(shard.name),
        )
        for shard in plans
    ]


def _with_findings(inventory: Inventory, shards: _Shards) -> Inventory:
    """Returns the inventory with what only making them shows of examples that are made."""
    notes = [
        Note(paths[note.id], note.kind, note.detail)
        for task in shards.tasks
        if (found := shards.records[task.path].content.notes)
        for paths in [paths_of(task, {note.id for note in found})]
        for note in found
    ]
    return dataclasses.replace(
        inventory,
        rejects=tuple(sorted([*inventory.rejects, *shards.alike.rejects])),
        notes=tuple(sorted([*inventory.notes, *notes, *shards.alike.notes])),
    )


def _write_shards(
    task: Task[PreprocessConfig], inventory: Inventory, plan: Plan, tasks: Sequence[ShardTask]
) -> tuple[Mapping[str, ShardRecord], Sequence[ShardTask], Effort]:
    """Makes the shards that are not there yet; returns all records, and which were made."""
    effort = Effort()
    storage = task.context.data()
    paths = [shard.path for shard in tasks]
    records = {} if task.context.fresh else find_whole_shards(storage, paths)
    missing = sorted(
        (shard for shard in tasks if shard.path not in records),
        key=lambda shard: (-shard.source_bytes, shard.path),
    )
    if missing:
        least, most = missing[-1].source_bytes, missing[0].source_bytes
        say(
            f"{len(missing)} of {len(tasks)} shards are to be made, each of {size(least)} to "
            f"{size(most)} of the source"
        )
        writer = ShardWriter(
            source_root=inventory.listing.root,
            max_file_bytes=task.config.examples.max_file_bytes,
            data_root=task.context.data_root,
            classes=len(inventory.listing.class_names),
            plan=plan,
            compression=task.config.compression,
        )
        # Another try of this task may be under way, where a cluster has lost sight of its pod.
        folder = f"{task.context.run_folder()}/orders/{uuid.uuid4().hex}"
        with placed_orders(storage, folder, missing) as orders:
            if options := task.context.beam_options:
                from components.preprocess.transforms import run_pipeline  # Beam takes 2 s.

                effort = run_pipeline(orders, writer, options)
            else:
                effort = run_pool(orders, writer, task.events, unit=_name_examples(task))
        records = {**records, **read_records(storage, [shard.path for shard in missing])}
    return records, missing, effort


def _write_membership(task: Task[PreprocessConfig], plans: Sequence[ShardPlan]) -> None:
    from components.common.data.membership import (
        Membership,  # NumPy, which takes a while to import.
    )

    examples = ((member.id, member.group, plan.split) for plan in plans for member in plan.members)
    Membership.of(examples).write(task.output)


def _write_paths(task: Task[PreprocessConfig], plans: Sequence[ShardPlan]) -> None:
    """Writes where those examples lie that a report may name by their ids alone."""
    splits = ([plan for plan in plans if plan.split == split] for split in ("train", "validation"))
    write_paths(
        task.output,
        (((member.id, member.path) for plan in own for member in plan.members) for own in splits),
    )


def _write_manifest(
    task: Task[PreprocessConfig], shards: _Shards, manifest: DatasetManifest
) -> None:
    """Writes a manifest, and beside it what sketches tell of the examples; which are alike."""
    sketched = shards.alike.examples
    if sketched is None:
        read = functools.partial(read_index, task.context.data())
        sketched = read_sketched(manifest.task, shards.tasks, read)
    traits = count_traits(manifest.task, sketched.traits, sketched.splits)
    manifest.model_copy(update={"traits": traits}).write(task.output)
    shards.alike.near.write(task.output)
    find_oddities(manifest.task, sketched).write(task.output)
    find_profile(manifest.task, sketched).write(task.output)


def _check_rejects(
    task: Task[PreprocessConfig], inventory: Inventory, rejects: Sequence[Reject]
) -> None:
    message = explain_rejects(
        rejects,
        records=len(inventory.listing.records),
        max_reject_share=task.config.max_reject_share,
    )
    if message is not None:
        storage, name = task.context.data(), f"{task.context.run_folder()}/{REJECTS_FILE}"
        storage.write(name, rejects_to_jsonl(rejects).encode())
        raise UserError(f"{message}\nAll of them: {storage.uri(name)}")
