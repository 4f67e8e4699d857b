"""What several tests of preprocess need, and is dear to make."""

import importlib.metadata
import os
import re
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Beam options for its portable runner, which reaches its workers as Flink and Dataflow do."""
    go, version = shutil.which("go"), importlib.metadata.version("apache-beam")
    if go is None:
        pytest.skip("Go is not installed, and Beam's Prism runner is written in it")
    folder = tmp_path_factory.mktemp("prism")
    built = subprocess.run(
        [go, "install", f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version}"],
        env={**os.environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and re.search("dial tcp|requires go >=", built.stderr):
        pytest.skip(f"Beam's Prism runner can't be had from here: {built.stderr.strip()}")
    assert built.returncode == 0, built.stderr
    return "--runner=PrismRunner", f"--prism_location={folder / 'prism'}"
