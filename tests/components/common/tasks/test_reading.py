"""Shards of others hold what they like: records that are no examples are told, not raised."""

from pathlib import Path

import pytest

from components.common.data.records import write_record
from components.common.errors import UserError
from components.common.storage import file_checksum
from components.common.tasks.reading import read_examples
from tests.builders.synthetic import run_context, write_dataset


def test_a_whole_record_that_is_no_example_is_told_with_its_shard(tmp_path: Path) -> None:
    context = run_context(tmp_path)
    manifest = write_dataset(context, tmp_path / "dataset")
    shard = manifest.splits["test"].shards[0]
    path = Path(context.data_root, shard.path)
    with path.open("wb") as file:
        write_record(file, b"\xff\xff\xff")
    size_bytes, crc32c = file_checksum(path)
    shard = shard.model_copy(update={"size_bytes": size_bytes, "crc32c": crc32c})
    split = manifest.splits["test"].model_copy(update={"shards": (shard,)})
    foreign = manifest.model_copy(update={"splits": {**manifest.splits, "test": split}})
    with pytest.raises(UserError, match=r"test-00000-of-.*damaged .*no tf\.train\.Example"):
        list(read_examples(foreign, "test", context.data()))
