"""The curves that TensorBoard shows: a point per epoch, once, whoever went on."""

import pytest

from components.common.documents.bundle import Epoch
from components.common.keras import tf
from components.common.training.tensorboard import TensorBoard


def epoch(number: int, *, sparsity: float | None = None) -> Epoch:
    return Epoch(
        phase="prune",
        epoch=number,
        learning_rate=0.1,
        loss=1 / number,
        accuracy=0.5,
        validation_loss=2 / number,
        validation_accuracy=0.25,
        sparsity=sparsity,
    )


def read_points(storage, folder: str, tmp_path) -> list[tuple[int, dict[str, float]]]:
    """Reads all event files in the order in which TensorBoard does, with TensorFlow's reader."""
    points = []
    for blob in storage.list(f"{folder}/"):
        path = tmp_path / "read" / blob.name.rpartition("/")[2]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(storage.read(blob.name))
        versions, event = list(tf.compat.v1.train.summary_iterator(str(path)))
        assert versions.file_version == "brain.Event:2"
        points.append((event.step, {each.tag: each.simple_value for each in event.summary.value}))
    return points


def test_each_epoch_is_a_point_and_stands_there_once(storage, tmp_path):
    board = TensorBoard(storage, "runs/run/tensorboard/prune")
    board.add(epoch(1), {"examples_per_s": 100.0})
    board.add(epoch(2, sparsity=0.5), {"examples_per_s": 200.0})
    # An interrupted attempt goes on, once in this run and once in another.
    again = TensorBoard(storage, "runs/run/tensorboard/prune")
    again.recall([epoch(1), epoch(2, sparsity=0.5)])
    again.add(epoch(3, sparsity=0.75), {})
    points = read_points(storage, "runs/run/tensorboard/prune", tmp_path)
    assert [step for step, _ in points] == [1, 2, 3]
    assert points[0][1] == pytest.approx(
        {
            "learning_rate": 0.1,
            "loss": 1.0,
            "accuracy": 0.5,
            "validation_loss": 2.0,
            "validation_accuracy": 0.25,
            "examples_per_s": 100.0,
        }
    )
    assert points[1][1]["examples_per_s"] == 200.0
    assert [values.get("sparsity") for _, values in points] == [None, 0.5, 0.75]

    elsewhere = TensorBoard(storage, "runs/other/tensorboard/prune")
    elsewhere.recall([epoch(1), epoch(2)])
    elsewhere.add(epoch(3), {})
    points = read_points(storage, "runs/other/tensorboard/prune", tmp_path)
    assert [step for step, _ in points] == [1, 2, 3]


@pytest.mark.parametrize(("steps", "profiles"), [(0, 0), (3, 1), (100, 1)])
def test_a_profile_is_kept_where_it_is_asked_for(steps, profiles, storage):
    """Also of a phase that has fewer steps."""
    board = TensorBoard(storage, "board", profile_steps=steps)
    with board.profiled() as after_steps:
        for _ in range(12):
            tf.reduce_sum(tf.ones([8, 8])).numpy()
            after_steps(1)
    kept = [blob.name for blob in storage.list("board/plugins/profile/")]
    assert len([name for name in kept if name.endswith(".xplane.pb")]) == profiles
