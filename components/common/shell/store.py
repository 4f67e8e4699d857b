"""The content-addressed store: a stage's output by the key of its computation.

An entry is `store/<stage>/<key>/`: the output's files under a folder named by their
digest, and `record.json`, created last and only once. So an entry without a record does
not exist, the first writer wins, and the loser adopts its entry. Digests are verified
whenever an entry is used: a damaged or incomplete one is a miss, and the next
computation repairs it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from components.common.digests import tree_digest
from components.common.documents.record import Record, StoredOutput
from components.common.errors import DamagedError, UserError
from components.common.storage import ABSENT, PreconditionError, Storage

Verify = Callable[[Path], bool]
"""Whether what an output refers to, but does not contain, is still whole."""


class Store:
    """Finds and keeps stage outputs below a storage's `store/`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find_record(self, stage: str, key: str) -> Record | None:
        """Returns an entry's record, whether or not its files are whole."""
        return self._record(stage, key)[0]

    def find(
        self, stage: str, key: str, into: Path, verify: Verify, *, other_than: Record | None = None
    ) -> Record | None:
        """Copies an entry's output into a directory, if the entry is there and whole.

        Args:
          stage: the stage's name.
          key: the computation's key.
          into: a directory, made anew; absent again after a miss.
          verify: looks at the output's directory.
          other_than: the record of an entry that does not count.

        Returns:
          The entry's record, or None where there is none, or it is damaged.
        """
        shutil.rmtree(into, ignore_errors=True)
        record, _ = self._record(stage, key)
        if record in (None, other_than) or not self._fetch(record, into, verify):
            return None
        return record

    def put(self, record: Record, output: Path, verify: Verify, *, replace: bool = False) -> Record:
        """Keeps an output; returns the record that stands, another's where it was first.

        Args:
          record: describes the output; its output_digest is that of `output`.
          output: the directory to keep. Where another writer was first, its content is
            replaced by that writer's.
          verify: looks at that writer's output: what is not whole does not stand.
          replace: take the place of whatever stands. The files of what is replaced stay beside,
            for the runs that have used them, until the entry is pruned.
        """
        # Two writers of one key may differ in bytes (another CPU, another library) and both be
        # right, so one of them must stand for all that follows. Files lie under their own
        # digest and can't collide; the record, written last and on condition that it is the one
        # read above, decides. A writer that is refused looks again: what stands is whole or
        # about to be replaced, never half-written.
        while True:
            standing, generation = self._record(record.stage, record.key)
            if standing is not None and not replace:
                adopted = output.with_name(output.name + ".adopted")
                if self._fetch(standing, adopted, verify):
                    shutil.rmtree(output)
                    adopted.rename(output)
                    return standing
            self._keep_files(record, output)
            try:
                self._storage.write(
                    _record_name(record.stage, record.key),
                    record.to_json().encode(),
                    if_generation=generation,
                )
            except PreconditionError:
                continue
            return record

    def fetch(self, output: StoredOutput, into: Path) -> None:
        """Copies an output into a directory, whether or not its entry has been replaced since.

        Raises:
          UserError: it is no longer there, or not what it was.
        """
        if self._fetch(output, into, lambda path: True):
            return
        place = self._storage.uri(_files(output))
        if next(iter(self._storage.list(f"{_files(output)}/")), None) is None:
            raise UserError(
                f"{place}: what {output.stage} left there for this run is gone, removed by "
                "`litesmith cache prune` or by hand; run again, and it is made anew"
            )
        raise UserError(
            f"{place}: is not what {output.stage} left there for this run, so it is damaged; run "
            "again, and it is made anew"
        )

    def read_file(self, record: Record, name: str) -> bytes:
        """Returns one file of an entry, unverified: to be shown, not to compute with."""
        return self._storage.read(f"{_files(record)}/{name}")

    def _keep_files(self, record: Record, output: Path) -> None:
        """Makes the entry's files those of the output, whatever was there."""
        folder = _files(record)
        for blob in self._storage.list(f"{folder}/"):
            if not (output / blob.name.removeprefix(f"{folder}/")).is_file():
                self._storage.delete(blob.name)
        self._storage.upload(output, folder)

    def _record(self, stage: str, key: str) -> tuple[Record | None, int]:
        data, generation = self._storage.read_with_generation(_record_name(stage, key))
        if generation == ABSENT:
            return None, ABSENT
        try:
            record = Record.parse(data)
        except DamagedError:
            return None, generation
        return (record if (record.stage, record.key) == (stage, key) else None), generation

    def _fetch(self, output: Record | StoredOutput, into: Path, verify: Verify) -> bool:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        try:
            self._storage.download(_files(output), into)
        except FileNotFoundError:
            pass  # An output without files, or a damaged entry: the digest tells.
        if tree_digest(into) == output.output_digest and verify(into):
            return True
        shutil.rmtree(into)
        return False


def _record_name(stage: str, key: str) -> str:
    return f"store/{stage}/{key}/record.json"


def _files(output: Record | StoredOutput) -> str:
    return f"store/{output.stage}/{output.key}/{output.output_digest}"
