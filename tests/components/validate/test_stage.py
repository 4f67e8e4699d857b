"""The stage on real shards and a real registry."""

import json

import pytest

from components.common.data.membership import Membership
from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import TaskResult
from components.common.documents.validation import Validation
from components.common.process.events import Events
from components.common.registry import Registry
from components.validate import stage
from components.validate.config import ValidateConfig
from tests.builders.releases import make_release
from tests.builders.synthetic import run_context, write_dataset
from tests.components.validate.manifests import manifest


@pytest.fixture
def context(tmp_path):
    return run_context(tmp_path)


def validate(context, folder, **values):
    config = ValidateConfig(model_name="shapes", **values)
    stage.STAGE.run(
        dataset=folder / "dataset",
        config=config.to_json(),
        context=context.to_json(),
        validation=folder / "validation",
    )
    return Validation.read(folder / "validation")


def bless(context, manifest: DatasetManifest | None) -> None:
    registry = Registry(context.models(), "shapes")
    documents = {} if manifest is None else {"dataset.json": manifest.to_json().encode()}
    release = registry.publish(make_release(b"model"), b"model", documents)
    registry.bless(release, run_id="before", generation=registry.blessed()[1])


def message(context) -> str:
    name = f"{context.run_folder()}/tasks/validate.json"
    return TaskResult.parse(context.data().read(name)).message


def test_a_sound_data_set_passes(context, tmp_path):
    write_dataset(context, tmp_path / "dataset")
    assert validate(context, tmp_path, min_test_examples=60).findings == ()


def test_a_test_split_too_small_for_the_budget_stops_the_run(context, tmp_path):
    write_dataset(context, tmp_path / "dataset")
    with pytest.raises(SystemExit) as caught:
        validate(context, tmp_path, min_test_examples=270)
    assert caught.value.code == 2
    assert "60 examples, and at least 270 are needed" in message(context)
    assert not (tmp_path / "validation").exists()


def test_the_blessed_model_s_data_set_is_what_shifts_are_measured_from(context, tmp_path):
    before = write_dataset(context, tmp_path / "before")
    bless(context, before)
    write_dataset(context, tmp_path / "dataset", low=120, high=140)
    findings = validate(context, tmp_path).findings
    assert {(finding.check, finding.severity) for finding in findings} == {("trait_drift", "warn")}
    assert [finding.message.split(" between the ")[1].split()[0] for finding in findings] == [
        "brightness",
        "contrast",
        "range",
    ]
    with pytest.raises(SystemExit):
        validate(context, tmp_path, trait_drift="stop")
    assert "trait_drift" in message(context)


def test_a_blessed_version_without_a_manifest_is_no_obstacle(context, tmp_path):
    bless(context, None)
    write_dataset(context, tmp_path / "dataset")
    assert validate(context, tmp_path).findings == ()


def write_membership(folder, manifest, *, groups=(), duplicates=()) -> None:
    """Puts some examples, by split and number, into one group, and others into test as well."""
    rows = [
        (f"{split}{index:06d}", "g" if (split, index) in groups else "", split)
        for split, found in manifest.splits.items()
        for index in range(found.examples)
    ]
    twice = [(f"{split}{index:06d}", "", "test") for split, index in duplicates]
    Membership.of([*rows, *twice]).write(folder)


def move_shards_away(context, manifest) -> None:
    for split in manifest.splits.values():
        for shard in split.shards:
            context.data().delete(shard.path)


def test_no_shard_is_read_where_splits_share_nothing(context, tmp_path):
    manifest = write_dataset(context, tmp_path / "dataset")
    move_shards_away(context, manifest)
    assert validate(context, tmp_path).findings == ()


def test_duplicates_are_named_from_the_shards(context, tmp_path):
    manifest = write_dataset(context, tmp_path / "dataset")
    splits = manifest.splits
    twice = manifest.model_copy(update={"splits": {**splits, "test": splits["validation"]}})
    twice.write(tmp_path / "dataset")
    duplicates = [("validation", index) for index in range(48)]
    write_membership(tmp_path / "dataset", manifest, duplicates=duplicates)
    with pytest.raises(SystemExit):
        validate(context, tmp_path)
    assert "validation and test share 48 of their examples" in message(context)
    assert "validation000000, validation000001" in message(context)


def test_a_damaged_shard_is_named(context, tmp_path):
    manifest = write_dataset(context, tmp_path / "dataset")
    write_membership(tmp_path / "dataset", manifest, duplicates=[("train", 0)])
    path = context.data().local_path(manifest.splits["test"].shards[0].path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SystemExit):
        validate(context, tmp_path)
    assert "test-00000-of-00002.tfrecord: the shard is missing or damaged" in message(context)


def test_notes_on_pictures_are_read_beside_the_manifest(context, tmp_path):
    write_dataset(context, tmp_path / "dataset")
    note = '{"detail":"is #ffffff all over","note":"one_colour","path":"bar/1.png"}\n'
    (tmp_path / "dataset" / "notes.jsonl").write_text(note)
    (finding,) = validate(context, tmp_path).findings
    assert finding.check == "one_colour" and "bar/1.png" in finding.message


@pytest.mark.parametrize(
    ("rejects", "warns"), [({"duplicate": 2, "empty": 1}, [True]), ({"duplicate": 2}, [])]
)
def test_records_that_are_no_examples_are_told_unless_copies(tmp_path, rejects, warns):
    path = tmp_path / "events.jsonl"
    path.touch()
    found = manifest().model_copy(update={"rejects": rejects})
    stage.tell_left_out(found, Events("validate", path))
    warnings = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert ["3 of 300 records are no examples" in warning for warning in warnings] == warns


def test_groups_are_read_from_the_membership(context, tmp_path):
    manifest = write_dataset(context, tmp_path / "dataset")
    parted = {("validation", 7), ("test", 7)}
    write_membership(tmp_path / "dataset", manifest, groups=parted)
    with pytest.raises(SystemExit):
        validate(context, tmp_path)
    assert "validation and test share 1 of their groups" in message(context)
    assert "for example of validation000007 and test000007" in message(context)
    (finding,) = validate(context, tmp_path, parted_groups="warn").findings
    assert finding.check == "parted_groups"


def test_findings_that_let_the_run_go_on_are_told_as_warnings(context, tmp_path, capsys):
    write_dataset(context, tmp_path / "dataset")
    (finding,) = validate(context, tmp_path, min_examples_per_class=10_000).findings
    assert f"\nwarn: too_few_examples: {finding.message}\n" in capsys.readouterr().out
