"""The stages of a run, in one table for everything that must know them.

`table` says of each how it is configured and run. It loads neither KFP nor a stage; what connects
the stages is in `pipeline.dag`.
"""

from pipeline.stages.table import (
    CANDIDATE_STAGES,
    RUNG,
    STAGES,
    TASKS,
    TRAINING_STAGES,
    StageEntry,
    ends_task,
    place_of,
    task_of,
    tasks_with,
)

__all__ = [
    "CANDIDATE_STAGES",
    "RUNG",
    "STAGES",
    "TASKS",
    "TRAINING_STAGES",
    "StageEntry",
    "ends_task",
    "place_of",
    "task_of",
    "tasks_with",
]
