"""Which tests go to the same of xdist's workers, and what makes compiling quick in a test."""

import inspect
import traceback

import pytest

DEAR = ("base_image", "finished", "single", "trained")
"""Fixtures: the images' base, a whole run, a training on one device, a model and its candidates."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives the tests of a dear fixture to one worker: others need not make it."""
    for name in DEAR:
        if name in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(name))


def stack_without_source(context: int = 0) -> list[inspect.FrameInfo]:
    """Returns the caller's stack as `inspect.stack` does, without lines of source."""
    frames = traceback.walk_stack(inspect.currentframe().f_back)
    return [
        inspect.FrameInfo(frame, frame.f_code.co_filename, line, frame.f_code.co_name, None, None)
        for frame, line in frames
    ]


# kfp asks for the stack at every step of compiling, and takes its caller's name. Where a test
# runner's frames are many and TensorFlow's modules loaded, their lines take a hundred times as
# long to find as all the rest.
inspect.stack = stack_without_source
