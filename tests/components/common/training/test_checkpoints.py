"""Checkpoints: whole or not believed, the newest few, nothing in them is code."""

import dataclasses
import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from components.common.errors import DamagedError, UserError
from components.common.storage import LocalStorage
from components.common.training import resumption
from components.common.training.checkpoints import Checkpoints, TrainingState
from components.common.training.resumption import Attempt


def state(step: int) -> TrainingState:
    return TrainingState(
        position={"step": step, "loss": float("nan")},
        arrays={"model": [np.arange(step), np.float32([[step]])], "scalar": [np.array(step)]},
    )


@pytest.fixture
def checkpoints(storage) -> Checkpoints:
    return Checkpoints(storage, "checkpoints/finetune/key")


def files(root: Path) -> list[Path]:
    return sorted((root / "checkpoints").rglob("*.npz"))


def test_a_state_comes_back_as_it_was(checkpoints):
    assert checkpoints.load() == ("", None)
    checkpoints.save(state(7))
    name, found = checkpoints.load()
    assert checkpoints.load_named(name) is not None
    assert found.position["step"] == 7
    assert np.isnan(found.position["loss"])
    assert set(found.arrays) == {"model", "scalar"}
    for one, other in zip(found.arrays["model"], state(7).arrays["model"], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert found.arrays["scalar"][0] == 7


def test_a_state_of_something_else_is_refused_by_name(checkpoints):
    checkpoints.save(state(1))
    with pytest.raises(DamagedError, match=r"the state 00000000-\w+.npz below checkpoints/"):
        Attempt(checkpoints)


def test_the_newest_two_are_kept(checkpoints, storage):
    for step in range(5):
        checkpoints.save(state(step))
    assert checkpoints.load()[1].position["step"] == 4
    assert len(list(storage.list("checkpoints/"))) == 2


class Clock:
    """Stands still but for what is done with it."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("saving_s", "least", "most"),
    [(0.1, 55, 60), (30.0, 6, 6), (300.0, 1, 1)],
    ids=["a small state", "a large one", "an enormous one"],
)
def test_saving_takes_a_twentieth_of_the_time_at_most(saving_s, least, most, monkeypatch, tmp_path):
    clock = Clock()
    monkeypatch.setattr(resumption, "time", clock)
    saved = []

    class Slow(Checkpoints):
        def save(self, state):
            clock.now += saving_s
            saved.append(clock.now)

    slow = Slow(LocalStorage(str(tmp_path)), "none")
    attempt = Attempt(slow, interval_s=60)
    trained_s = 0
    while clock.now < 3600:
        clock.now += 1
        trained_s += 1
        attempt.look(lambda: TrainingState(position={}, arrays={}), ends=False)
    assert least <= len(saved) <= most
    # The last one was made before its time was earned.
    assert (len(saved) - 1) * saving_s <= 0.05 * trained_s
    assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(saved))


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_newest_falls_back_to_the_one_before(damage, tmp_path):
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints/finetune/key")
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    newest = files(tmp_path)[-1]
    data = newest.read_bytes()
    flipped = data[:60] + bytes([data[60] ^ 1]) + data[61:]
    newest.write_bytes({"truncate": data[: len(data) // 2], "flip": flipped, "empty": b""}[damage])
    assert checkpoints.load()[1].position["step"] == 1
    checkpoints.save(state(3))
    assert checkpoints.load()[1].position["step"] == 3
    for path in files(tmp_path):
        path.write_bytes(b"")
    assert checkpoints.load() == ("", None)


def test_pickles_are_not_opened(tmp_path):
    """Though the digest in its name be right."""
    import hashlib

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    buffer = io.BytesIO()
    np.savez(buffer, position=np.array([Trap()], dtype=object))
    folder = tmp_path / "checkpoints" / "finetune" / "key"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    (folder / f"00000000-{digest}.npz").write_bytes(buffer.getvalue())
    assert Checkpoints(LocalStorage(str(tmp_path)), "checkpoints/finetune/key").load()[1] is None
    assert not (tmp_path / "sprung").exists()


@dataclasses.dataclass
class Second:
    """Stands for the Replicas of the second of two workers."""

    told: np.ndarray
    """What the chief contributes to a sum."""
    is_chief: bool = False

    def sum_over_workers(self, values):
        assert not values.any()
        return self.told


def test_all_workers_go_on_from_the_state_that_the_chief_found(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    older, newer = sorted(checkpoints._names())
    for name, step in ((older, 1), (newer, 2)):
        attempt = Attempt(checkpoints, replicas=Second(_codes(name)))
        assert attempt._found.position["step"] == step
    assert Attempt(checkpoints, replicas=Second(_codes("")))._found is None
    missing = newer.replace("00000001", "00000002")
    with pytest.raises(UserError, match="give all workers the same data root"):
        Attempt(checkpoints, replicas=Second(_codes(missing)))


def _codes(text: str) -> np.ndarray:
    return np.array([*text.encode(), *[0] * (128 - len(text))], np.float64)
