"""What a task that lets others compute leaves for them under the data root.

A launch lies in `launches/<stage>/<key>/`: a document that says what to compute, the inputs,
which are KFP's artifacts and which no other pod can see, and a sign of life. Whoever waits
for the result renews the sign; where nobody has for some minutes, the workers end, however
the one who started them was lost.
"""

import dataclasses
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from components.common.config import StageConfig
from components.common.digests import canonical_json
from components.common.documents.record import StoredOutput
from components.common.run_context import RunContext
from components.common.storage import Storage

RENEWED_AFTER_S = 60.0
ABANDONED_AFTER_S = 900.0
"""Longer than a launcher is patient with a cluster, and than two clocks differ."""


class LaunchDocument(BaseModel):
    """What workers are to compute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: str
    """Which task of the stage it is, such as a variant's id; empty where it has but one."""
    config: str
    context: str
    inputs: tuple[str, ...]
    """Those that were left beside."""
    stored: Mapping[str, StoredOutput] = {}
    """Those that are in the store."""


@dataclasses.dataclass(frozen=True)
class Launch:
    """The place of one launch.

    Attributes:
      data: the storage of the data root.
      stage: what is computed.
      key: of the computation.
    """

    data: Storage
    stage: str
    key: str

    @property
    def folder(self) -> str:
        return f"launches/{self.stage}/{self.key}"

    def leave(
        self,
        config: StageConfig,
        context: RunContext,
        inputs: Mapping[str, Path | StoredOutput | None],
        *,
        instance: str = "",
    ) -> None:
        """Leaves what the workers need; the same key has equal inputs, so twice is fine."""
        given = {name: path for name, path in inputs.items() if isinstance(path, Path)}
        stored = {name: each for name, each in inputs.items() if isinstance(each, StoredOutput)}
        for name, path in given.items():
            self.data.upload(path, f"{self.folder}/inputs/{name}")
        # The document comes after the inputs: who finds it finds them.
        document = LaunchDocument(
            instance=instance,
            config=config.to_json(),
            context=context.to_json(),
            inputs=tuple(given),
            stored=stored,
        )
        text = canonical_json(document.model_dump(mode="json"))
        self.data.write(f"{self.folder}/launch.json", text.encode())
        self.renew()

    def take(self, folder: Path) -> tuple[LaunchDocument, dict[str, Path | StoredOutput]]:
        """Returns what to compute, and the inputs, those that were left as they now lie here."""
        data = self.data.read(f"{self.folder}/launch.json")
        document = LaunchDocument.model_validate_json(data)
        paths = {name: folder / name for name in document.inputs}
        for name, path in paths.items():
            shutil.rmtree(path, ignore_errors=True)
            self.data.download(f"{self.folder}/inputs/{name}", path)
        return document, {**paths, **document.stored}

    def renew(self) -> None:
        """Says that somebody waits for the result."""
        self.data.write(f"{self.folder}/awaited", str(time.time()).encode())

    def is_abandoned(self) -> bool:
        """Whether nobody has said so for a while. What can't be read is not believed."""
        try:
            renewed = float(self.data.read(f"{self.folder}/awaited"))
        except FileNotFoundError:
            return True  # It is removed when the result is there.
        except (OSError, ValueError):
            return False
        return time.time() - renewed > ABANDONED_AFTER_S

    def remove(self) -> None:
        self.data.delete(self.folder)
