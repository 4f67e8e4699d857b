"""Where a run keeps what outlives its tasks; the same text goes to every component."""

from datetime import UTC, date, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from components.common.digests import canonical_json
from components.common.storage import Storage, open_storage


class RunContext(BaseModel):
    """Names a run and its places. Nothing in it ever enters a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    recipe_name: str
    data_root: str
    """Holds `store/`, `shards/`, `runs/`: a local or mounted folder, or gs://."""
    registry: str
    """Holds the published models: a local or mounted folder, or gs://."""
    fresh: bool = False
    """Whether everything is computed anew; the results take the place of those in the store."""
    beam_options: tuple[str, ...] = ()
    """Where preprocess runs: Beam pipeline options, such as `--runner=FlinkRunner`."""
    window_days: int = 0
    """How many whole days of data a scheduled run sees, up to yesterday (UTC); 0 for all."""
    window_end: str = ""
    """The last of these days, in ISO 8601, where it is not yesterday: in a backfill."""

    def to_json(self) -> str:
        return canonical_json(self.model_dump(mode="json"))

    def data(self) -> Storage:
        return open_storage(self.data_root)

    def models(self) -> Storage:
        return open_storage(self.registry)

    def located(self, location: str) -> str:
        """Returns a location with `{window_start}` and `{window_end}` as dates filled in."""
        if not self.window_days:
            return location
        end = (
            date.fromisoformat(self.window_end)
            if self.window_end
            else datetime.now(UTC).date() - timedelta(days=1)
        )
        start = end - timedelta(days=self.window_days - 1)
        return location.replace("{window_start}", str(start)).replace("{window_end}", str(end))

    def run_folder(self) -> str:
        """Returns the run's folder, relative to the data root."""
        return f"runs/{self.run_id}"
