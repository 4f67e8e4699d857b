"""What the tests of several steps start from: one small fine-tuned model."""

import pytest

from tests.builders.compression import Dense, fine_tune_dense


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Dense:
    return fine_tune_dense(tmp_path_factory.mktemp("dense"))
