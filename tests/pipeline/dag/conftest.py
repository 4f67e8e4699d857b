"""What tests of the DAG share: a whole run of each task."""

import pytest

from tests.pipeline.dag.workplaces import WORKS, Workplace
from tests.pipeline.local_runs import copy_code


@pytest.fixture(scope="session", params=WORKS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace in which one run has ended that nobody disturbed; tests change copies of it."""
    # kfp replaces the text `python3` in a task's arguments, and quotes no path.
    folder = tmp_path_factory.mktemp("python3 finished")
    place = Workplace(WORKS[request.param], folder)
    copy_code(place.code)
    place.work.write(place.given)
    # A user's files of the same names as our packages must do no harm.
    for name in ("components.py", "pipeline.py", "kfp.py"):
        (folder / name).write_text("raise SystemExit('taken for ours')\n")
    run = place.run()
    assert set(run.statuses().values()) == {"computed"}
    return place
