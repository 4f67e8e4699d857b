"""Storages to test on: a local folder, and a bucket of a real fake-gcs-server."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.storage import LocalStorage, Storage
from components.common.storage.cloud_storage import CloudStorage
from tests.fakes.fake_gcs import FaultyProxy, create_bucket, serve

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def gcs() -> Iterator[FaultyProxy]:
    with serve() as proxy:
        yield proxy


@pytest.fixture
def cloud(gcs: FaultyProxy) -> CloudStorage:
    gcs.script = []
    return CloudStorage(create_bucket(f"bucket-{next(_NUMBERS)}") + "/some/prefix")


@pytest.fixture(params=["local", "cloud"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "cloud":
        return request.getfixturevalue("cloud")
    return LocalStorage(str(tmp_path / "root"))
