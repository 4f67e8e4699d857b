"""Where a run keeps what outlives its tasks; the same text goes to every component."""

from pydantic import BaseModel, ConfigDict

from components.common.digests import canonical_json
from components.common.storage import Storage, open_storage


class RunContext(BaseModel):
    """Names a run and its places. Nothing in it ever enters a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    run_id: str
    recipe_name: str
    data_root: str
    """Holds `store/`, `shards/`, `runs/`: a local or mounted folder, or gs://."""
    registry: str
    """Holds the published models: a local or mounted folder, or gs://."""

    def to_json(self) -> str:
        return canonical_json(self.model_dump(mode="json"))

    def data(self) -> Storage:
        return open_storage(self.data_root)

    def models(self) -> Storage:
        return open_storage(self.registry)

    def run_folder(self) -> str:
        """Returns the run's folder, relative to the data root."""
        return f"runs/{self.run_id}"
