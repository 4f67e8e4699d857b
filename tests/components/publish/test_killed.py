"""A publisher killed at any step, in a bucket: what was blessed stays, and a retry completes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.registry import Registry
from components.gate import stage as gate
from components.gate.config import GateConfig
from components.publish import stage
from components.publish.config import PublishConfig
from tests.builders.artifacts import write_measured_run
from tests.builders.releases import publish_and_bless
from tests.builders.synthetic import run_context
from tests.fakes.fake_gcs import create_bucket, serve

STEPS = ("decision.json", "model.tflite", "release.json", "blessed.json")
"""Some of what publish writes into the registry, in its order; the pointer is the last.

The order counts: two attempts within a second make the same version, and the second writes only
what the first did not come to write.
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from components.common.storage.cloud_storage import CloudStorage
from components.publish import stage

write = CloudStorage.write

def write_or_die(self, name, data, **conditions):
    if name.startswith("shapes/") and name.endswith("/" + sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, name, data, **conditions)

CloudStorage.write = write_or_die
folder, config, context = Path(sys.argv[2]), sys.argv[3], sys.argv[4]
stage.STAGE.run(
    models=folder / "models",
    dataset=folder / "dataset",
    candidates=(folder / "float32", folder / "int8"),
    evaluations=(folder / "float32-evaluation", folder / "int8-evaluation"),
    benchmark=folder / "benchmark",
    decision=folder / "decision",
    page=folder / "page.html",
    config=config,
    context=context,
    published=folder / "published",
)
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with serve():
        yield create_bucket("killed")


@pytest.mark.slow
def test_the_old_model_stays_blessed_until_the_new_one_is_whole(
    bucket: str, tmp_path: Path
) -> None:
    context = run_context(tmp_path).model_copy(update={"registry": f"{bucket}/models"})
    inputs = write_measured_run(
        tmp_path, context, {"float32": b"float32" * 400, "int8": b"int8" * 100}
    )
    registry = Registry(context.models(), "shapes")
    old = publish_and_bless(registry, b"old")
    before = registry.blessed()
    (tmp_path / "page.html").write_text("<html></html>")
    gate.STAGE.run(
        **inputs,
        config=GateConfig(accuracy_drop=0.02, model_name="shapes").to_json(),
        context=context.to_json(),
        decision=tmp_path / "decision",
    )
    config = PublishConfig(model_name="shapes").to_json()
    for step in STEPS:
        command = [sys.executable, "-c", KILLED, step, str(tmp_path), config, context.to_json()]
        killed = subprocess.run(command, env=os.environ, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert registry.blessed() == before
        assert registry.read_model(old.version) == b"old"
        for release in registry.releases():
            registry.read_model(release.version)

    stage.STAGE.run(
        **inputs,
        decision=tmp_path / "decision",
        page=tmp_path / "page.html",
        config=config,
        context=context.to_json(),
        published=tmp_path / "published",
    )
    pointer, _ = registry.blessed()
    assert pointer is not None and pointer.history == (old.version,)
    assert registry.read_model(pointer.version) == b"int8" * 100
