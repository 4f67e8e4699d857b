"""Histories of trainings that came to nothing, and of some that did not."""

import pytest

from components.common.documents.bundle import Epoch
from components.common.training.findings import find_training_faults
from tests.components.validate.manifests import manifest

DATA = manifest(train=(70, 70, 70), validation=(30, 30, 30))


def history(*figures: tuple[float, float, float], phase: str = "fine_tune") -> list[Epoch]:
    """Returns epochs of (loss, accuracy, validation accuracy)."""
    return [
        Epoch(
            phase=phase,
            epoch=number,
            learning_rate=0.1,
            loss=loss,
            accuracy=accuracy,
            validation_loss=1.0,
            validation_accuracy=validation,
        )
        for number, (loss, accuracy, validation) in enumerate(figures, start=1)
    ]


SOUND = history((1.1, 0.4, 0.4), (0.6, 0.8, 0.7), (0.3, 0.9, 0.85))


def test_a_training_that_goes_well_has_no_faults():
    assert find_training_faults(SOUND, 3, DATA) == ()


@pytest.mark.parametrize("validation", [0.0, 1 / 3, 0.4])
def test_what_is_learned_by_heart_is_said(validation):
    (fault,) = find_training_faults(history((0.1, 0.98, validation)), 1, DATA)
    assert "98.0 % of the training examples are right" in fault
    assert "no better than the 33.3 % of always answering one class" in fault


def test_a_model_at_chance_on_both_splits_has_learned_nothing_by_heart():
    assert find_training_faults(history((1.1, 0.35, 0.33)), 1, DATA) == ()


def test_chance_is_the_share_of_the_most_frequent_class():
    uneven = manifest(train=(200, 20, 20), validation=(80, 5, 5))
    # 89 % is what always answering the first class has.
    assert find_training_faults(history((0.3, 0.9, 0.9)), 1, uneven) == ()
    assert len(find_training_faults(history((0.1, 0.99, 0.9)), 1, uneven)) == 1


def test_only_the_kept_epoch_is_judged():
    epochs = history((0.6, 0.8, 0.7), (0.1, 0.98, 0.3))
    assert find_training_faults(epochs, 1, DATA) == ()
    assert len(find_training_faults(epochs, 2, DATA)) == 1


def test_a_loss_that_explodes_is_said_although_it_is_finite():
    (fault,) = find_training_faults(history((0.8, 0.7, 0.7), (40.0, 0.4, 0.4)), 1, DATA)
    assert "loss of epoch 2 is 40" in fault and "has 1.1" in fault
    assert "optimizer.learning_rate" in fault


def test_a_loss_that_stays_above_all_reason_is_said():
    (fault,) = find_training_faults(history((90.0, 0.4, 0.4), (50.0, 0.4, 0.4)), 1, DATA)
    assert "loss of epoch 2 is 50" in fault


def test_a_slow_beginning_is_no_explosion():
    assert find_training_faults(history((9.0, 0.4, 0.4), (0.9, 0.7, 0.7)), 2, DATA) == ()


def test_each_phase_is_looked_at():
    head = history((9.0, 0.4, 0.4), (0.9, 0.7, 0.7), phase="head")
    rest = [e.model_copy(update={"epoch": e.epoch + 2}) for e in history((8.0, 0.6, 0.6))]
    (fault,) = find_training_faults([*head, *rest], 2, DATA)
    assert "loss of epoch 3 is 8" in fault


def test_what_a_teacher_adds_to_a_loss_is_no_explosion_and_its_growth_is():
    taught = history((9.0, 0.6, 0.6), (12.0, 0.7, 0.7))
    assert find_training_faults(taught, 2, DATA, is_taught=True) == ()
    (fault,) = find_training_faults(
        history((9.0, 0.6, 0.6), (40.0, 0.3, 0.3)), 1, DATA, is_taught=True
    )
    assert "loss of epoch 2 is 40, where epoch 1 had 9" in fault


def test_a_loss_that_rises_while_weights_become_zero_is_no_explosion():
    def pruned(*losses: float) -> list[Epoch]:
        epochs = history(*((loss, 0.6, 0.6) for loss in losses), phase="prune")
        sparsities = (0.3, 0.7, 0.9, 0.9, 0.9)
        return [
            epoch.model_copy(update={"sparsity": sparsity})
            for epoch, sparsity in zip(epochs, sparsities, strict=True)
        ]

    rising = pruned(0.2, 0.9, 1.2, 1.1, 1.1)
    assert find_training_faults(rising, 5, DATA, is_taught=True) == ()
    (fault,) = find_training_faults(pruned(0.2, 0.9, 1.2, 2.0, 4.0), 5, DATA, is_taught=True)
    assert "loss of epoch 5 is 4, where epoch 3 had 1.2" in fault
