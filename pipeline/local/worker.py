"""Runs the DAG through kfp.local: the child of the driver that leads all tasks.

Called as `python -P -m pipeline.local.worker RUN_FOLDER`. Ends with 0 when every task
succeeded. What it prints, and kfp, goes to the run's kfp.log.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from components.common.shell.local_runner import DRIVER_PID
from pipeline.recipe.parameters import run_parameters
from pipeline.runs.folders import RunFolder

_WATCH_S = 0.2


def main() -> None:
    driver = int(os.environ[DRIVER_PID])
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()
    # Imported under watch: it takes two seconds.
    from kfp import local

    from pipeline.dag.dag import build_dag

    run = RunFolder(Path(sys.argv[1]))
    description = run.describe()
    # kfp puts this path into a shell command unquoted, and into each argument in which it
    # finds the text `python3`, paths of pictures too: the name itself changes nothing.
    sys.executable = "python3"
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(run.artifacts),
        raise_on_error=True,
    )
    recipe = description.parse_recipe()
    parameters = run_parameters(recipe, description.context)
    dag = build_dag(compressions=recipe.compressions(), search_rounds=recipe.search_rounds())
    dag(**parameters)


def _end_with(driver: int) -> None:
    """Ends this process group when the driver is gone."""
    # POSIX has no signal for a parent's death; but the process has another parent then.
    while os.getppid() == driver:
        time.sleep(_WATCH_S)
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
