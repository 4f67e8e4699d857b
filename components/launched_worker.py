"""One worker of a JobSet: `python -m components.launched_worker STAGE KEY ROOT ADDRESS...`.

It runs the stage as KFP would, with TF_CONFIG from the pod's index and the addresses of all
workers. The chief finds the entry in the store, or computes it and puts it there.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from components.common.process.termination import Terminated
from components.common.shell.stage import Stage, execute
from components.common.storage import open_storage
from components.common.words.terminal import say
from components.common.workers.jobset import PEER_LOST
from components.common.workers.launches import RENEWED_AFTER_S, Launch
from components.common.workers.worker import TF_CONFIG, tf_config
from components.compress.stage import STAGE as COMPRESS
from components.finetune.stage import STAGE as FINETUNE

TRAINING: Mapping[str, Stage[Any]] = {stage.name: stage for stage in (FINETUNE, COMPRESS)}
INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job."""


def main(arguments: Sequence[str]) -> None:
    """Computes one worker's part of a launch.

    Raises:
      SystemExit: with the status that says why: see `jobset`, `stage.execute`.
    """
    stage, key, data_root, *addresses = arguments
    # The first process of a container is deaf to signals that it has not asked for.
    signal.signal(signal.SIGTERM, _end)
    launch = Launch(open_storage(data_root), stage, key)
    if launch.is_abandoned():
        raise SystemExit(f"{launch.folder}: nobody waits for this result any more")
    index = int(os.environ[INDEX])
    os.environ[TF_CONFIG] = tf_config(tuple(addresses), index)
    if index == 0:
        threading.Thread(target=_end_when_abandoned, args=(launch,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        document, inputs = launch.take(Path(folder, "inputs"))
        try:
            training = TRAINING[stage]
            execute(
                training,
                config=training.config.from_json(document.config),
                context=document.context,
                inputs=inputs,
                output=Path(folder, "output"),
                instance=document.instance,
            )
        except Exception as error:
            if _tells_of_a_lost_peer(error):
                say(f"another worker is lost: {error}", to=sys.stderr)
                raise SystemExit(PEER_LOST) from None
            raise


def _end(number: int, frame: object) -> NoReturn:
    raise Terminated


def _end_when_abandoned(launch: Launch) -> None:
    """Tells this process to end, which lets all workers save and end; none starts again."""
    while not launch.is_abandoned():
        time.sleep(RENEWED_AFTER_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _tells_of_a_lost_peer(error: Exception) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return False
    errors = tensorflow.errors
    lost = (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
    )
    return isinstance(error, lost)


if __name__ == "__main__":
    main(sys.argv[1:])
