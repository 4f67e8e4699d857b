"""Which tests go to the same of xdist's workers: those that share what is dear to make."""

import pytest

DEAR = ("base_image", "finished", "single", "trained")
"""Fixtures: the images' base, a whole run, a training on one device, a model and its candidates."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives the tests of a dear fixture to one worker: others need not make it."""
    for name in DEAR:
        if name in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(name))
