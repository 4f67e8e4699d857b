"""What benchmark is told."""

from typing import Annotated

from pydantic import Field

from components.common.config import StageConfig


class BenchmarkConfig(StageConfig):
    """The recipe's `benchmark` section."""

    runs: Annotated[int, Field(ge=20, le=100_000)] = 200
    """Timed inferences of each candidate at each number of threads, rounded up to tens."""
    warmup_runs: Annotated[int, Field(ge=1, le=10_000)] = 20
    max_seconds: Annotated[float, Field(gt=0)] = 60.0
    """For all candidates together; slow ones get fewer runs, but never under 20."""
    price_per_hour: Annotated[float, Field(gt=0)] | None = None
    """Of the machine that runs benchmark, in any currency: gives a million inferences a cost."""
