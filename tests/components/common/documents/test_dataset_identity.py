"""What of a data set later stages are keyed by: its examples, not where they came from."""

from pathlib import Path

from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import Record, TaskResult
from components.common.runs.receipts import find_ancestors
from components.common.shell.inputs import input_digest
from tests.builders.synthetic import run_context, write_dataset

ELSEWHERE = {
    "source_fingerprint": "renamed",
    "rejects": {"duplicate": 3},
    "records": 1000,
    "lineage": {"stage": "preprocess", "key": "1" * 64, "inputs": {}},
}


def test_every_field_of_a_manifest_is_identity_or_provenance() -> None:
    identity, provenance = DatasetManifest.IDENTITY, DatasetManifest.PROVENANCE
    assert identity | provenance == set(DatasetManifest.model_fields)
    assert not identity & provenance


def test_where_examples_came_from_is_not_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    manifest = write_dataset(run_context(tmp_path), folder)
    before = input_digest(folder)
    (folder / "rejects.jsonl").write_text("another\n")
    (folder / "membership.npz").write_bytes(b"other groups")
    for name, value in ELSEWHERE.items():
        DatasetManifest.model_validate({**manifest.model_dump(), name: value}).write(folder)
        assert input_digest(folder) == before, name


def test_other_examples_are_another_input(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    manifest = write_dataset(run_context(tmp_path), folder)
    digests = {input_digest(folder)}
    values = manifest.model_dump(mode="json")
    swapped = {**values["splits"], "train": values["splits"]["test"]}
    shard = values["splits"]["train"]["shards"][0]
    changed = {
        **values["splits"],
        "train": {**values["splits"]["train"], "shards": [{**shard, "crc32c": 1}]},
    }
    for change in (
        {"splits": swapped},
        {"splits": changed},
        {"class_names": ["cross", "bar", "disc"]},
        {"spec": {**values["spec"], "encoding": "jpeg"}},
        {"compression": "gzip"},
        {"slices": ["even"]},
    ):
        DatasetManifest.model_validate({**values, **change}).write(folder)
        digests.add(input_digest(folder))
    assert len(digests) == 7


def test_a_model_is_traced_to_the_data_set_that_it_was_answered_for() -> None:
    def result(stage: str, inputs: dict[str, str], output: str, identity: str = "") -> TaskResult:
        record = Record(
            stage=stage,
            key=stage,
            config={},
            identity={},
            inputs=inputs,
            code="",
            image="",
            libraries={},
            output_digest=output,
            identity_digest=identity,
            started="2025-01-01T00:00:00+00:00",
            seconds=1.0,
            peak_memory_bytes=1,
            measurements={},
        )
        return TaskResult(task=stage, status="cached", seconds=1.0, record=record)

    tasks = [
        result("preprocess", {}, "manifest and rejects", "examples"),
        result("finetune", {"dataset": "examples"}, "bundle"),
    ]
    assert [record.stage for record in find_ancestors(tasks, ["bundle"])] == [
        "preprocess",
        "finetune",
    ]
