"""Which of several workers this process is, as TensorFlow's TF_CONFIG says it."""

import dataclasses
import json
from collections.abc import Mapping

from components.common.errors import UserError

TF_CONFIG = "TF_CONFIG"
DEVICES = "LITESMITH_DEVICES"
"""Set by a target: `auto`, `one`, `mirrored` or `tpu`; what a training runs on."""
WORKER_PODS = "LITESMITH_WORKER_PODS"
"""Set where a target asks for workers: `jobset.WorkerPods` as JSON. They compute, not this."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """One of the processes that train one model together."""

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether it is the one that writes."""
        return self.index == 0


def this_worker(environment: Mapping[str, str]) -> Worker:
    """Returns which worker the environment says that this is; the only one by default.

    Raises:
      UserError: TF_CONFIG is not what TensorFlow expects of a synchronous training.
    """
    text = environment.get(TF_CONFIG)
    if not text:
        return Worker()
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        worker = Worker(int(task["index"]), len(addresses))
        others = set(config["cluster"]) - {"worker"}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{TF_CONFIG}: {text!r} does not name workers and a task") from error
    if others or task.get("type") != "worker" or not 0 <= worker.index < worker.count:
        raise UserError(
            f"{TF_CONFIG}: {text!r}: expected workers alone, of which the first is the chief, "
            "and a task that is one of them"
        )
    return worker


def tf_config(addresses: tuple[str, ...], index: int) -> str:
    """Returns the TF_CONFIG of one of several workers."""
    config = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    return json.dumps(config)
