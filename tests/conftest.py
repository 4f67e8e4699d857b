"""Which tests go to the same of xdist's workers, and what makes compiling quick in a test."""

import inspect
import traceback

import pytest

DEAR = ("base_image", "finished", "prism", "single", "trained")
"""Fixtures: the images' base, a whole run, Beam's runner in Go, a training on one device, a model
and its candidates."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives what shares a fixture to one worker, for others need not make it.

    That is the tests of a dear fixture, of each of its parameters apart, and those of one file,
    unless they are slow: slow ones would wait for one another.
    """
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    shared = [
        f"{name}-{parameters[name]}" if name in parameters else name
        for name in DEAR
        if name in getattr(item, "fixturenames", ())
    ]
    is_slow = any(item.get_closest_marker(name) for name in ("dag", "slow"))
    if not (shared or is_slow or item.get_closest_marker("xdist_group")):
        shared = [item.nodeid.partition("::")[0]]
    for name in shared:
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
