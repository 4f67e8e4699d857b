"""`snap` on an int8 file: fewer levels, the same kernels, and answers that hardly move."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from pydantic import ValidationError

from components.common.documents.variant import StepSpec
from components.common.lite.activations import observe_kernels
from components.common.lite.file_steps import (
    FILE_STEPS,
    apply_file_steps,
    describe_step,
    label_step,
)
from components.common.lite.file_steps.snap import Settings
from components.common.lite.kernels import find_kernels, read_bias, write_kernel
from components.common.lite.model_files import ModelFileError, read_model_file
from components.common.lite.packing import deflated_bytes
from components.common.lite.snapping import snap_weights
from tests.builders.int8_models import build_int8_classifier, draw_examples
from tests.builders.tflite_models import build_classifier

EXAMPLES = draw_examples(30)
ORIGINAL = build_int8_classifier()


class Examples:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def examples(self, count: int) -> np.ndarray:
        self.asked.append(count)
        return EXAMPLES[:count]


def snap(data: bytes, *, bits: int) -> bytes:
    return snap_weights(data, EXAMPLES, bits=bits)


def score(data: bytes, pictures: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (image,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    scores = []
    for picture in pictures:
        interpreter.set_tensor(image["index"], picture[np.newaxis])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(made["index"])[0].astype(float))
    return np.stack(scores)


def codes(data: bytes) -> list[np.ndarray]:
    return [kernel.codes for kernel in find_kernels(read_model_file(data).tables)]


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_weights_take_few_values_in_a_file_that_is_no_larger(bits: int) -> None:
    snapped = snap(ORIGINAL, bits=bits)
    before, after = codes(ORIGINAL), codes(snapped)
    np.testing.assert_array_equal(after[0], before[0])  # The first is spared.
    for kernel in after[1:]:
        assert np.abs(kernel.astype(int)).max() <= 2 ** (bits - 1) - 1
    assert abs(len(snapped) - len(ORIGINAL)) <= 64
    assert deflated_bytes(snapped) < (0.3 + 0.1 * bits) * deflated_bytes(ORIGINAL)


@pytest.mark.slow
def test_scores_follow_those_of_the_file_before() -> None:
    pictures = draw_examples(60, seed=2)
    before = score(ORIGINAL, pictures)
    errors = [score(snap(ORIGINAL, bits=bits), pictures) - before for bits in (2, 4, 6)]
    rough, middle, fine = (np.sqrt(np.square(error).mean()) for error in errors)
    assert fine < middle < rough
    assert fine < 0.1 * before.std()


def test_what_rounding_shifts_is_added_back() -> None:
    before, after = (read_model_file(data).tables for data in (ORIGINAL, snap(ORIGINAL, bits=3)))
    kernels = find_kernels(before)
    seen = observe_kernels(ORIGINAL, kernels, EXAMPLES)
    largest = []
    for old, new in list(zip(kernels, find_kernels(after), strict=True))[1:]:
        lost = old.codes * old.scales[:, np.newaxis] - new.codes * new.scales[:, np.newaxis]
        shifts = lost @ seen[old.weights].mean
        unit = new.input_scale * new.scales.max()  # Of what is added.
        added = read_bias(after, new) - read_bias(before, old)
        np.testing.assert_allclose(added, shifts, atol=unit)
        largest.append(np.abs(shifts).max() / unit)
    assert max(largest) > 3


def test_sparsity_is_kept() -> None:
    sparse = build_int8_classifier(sparsity=0.8)
    for before, after in zip(codes(sparse), codes(snap(sparse, bits=4)), strict=True):
        assert not after[before == 0].any()
        assert after.any()


def test_the_same_file_and_examples_give_the_same_bytes() -> None:
    assert snap(ORIGINAL, bits=4) == snap(ORIGINAL, bits=4)


def test_weights_that_two_operators_use_are_left() -> None:
    shared = build_int8_classifier(shares=True)
    assert [len(kernel) for kernel in codes(shared)] == [16, 24, 5]
    before, after = (score(data, EXAMPLES) for data in (shared, snap(shared, bits=7)))
    assert np.abs(after - before).max() < 0.2 * before.std()


def test_another_tensor_in_the_same_buffer_keeps_its_values() -> None:
    file = read_model_file(ORIGINAL)
    tensors = file.tables.subgraphs[0].tensors
    kernel = find_kernels(file.tables)[1]
    buffer = tensors[kernel.weights].buffer
    bystander = next(each for each in tensors if each.buffer == 0)
    bystander.buffer = buffer
    write_kernel(
        file.tables, kernel, codes=np.zeros_like(kernel.codes), scales=kernel.scales, bias=None
    )
    assert np.asarray(file.tables.buffers[bystander.buffer].data).any()
    assert not np.asarray(file.tables.buffers[tensors[kernel.weights].buffer].data).any()


def test_a_float_model_is_refused() -> None:
    with pytest.raises(ModelFileError, match="no int8 weights to snap"):
        snap(build_classifier(), bits=4)


def test_the_step_asks_for_its_examples_and_says_what_it_did() -> None:
    spec, material = StepSpec(kind="snap", settings={"bits": 4, "examples": 20}), Examples()
    data, (result,) = apply_file_steps(ORIGINAL, [spec], material)
    assert material.asked == [20]
    assert data == snap_weights(ORIGINAL, EXAMPLES[:20], bits=4)
    assert result.settings == {"bits": 4, "examples": 20}
    assert (result.zipped_before, result.zipped_after) == (
        deflated_bytes(ORIGINAL), deflated_bytes(data),
    )  # fmt: skip
    assert (label_step(spec), describe_step(spec)) == ("snap4", "weights snapped to 4 bits")


def test_share_takes_what_snap_leaves_equal() -> None:
    specs = [StepSpec(kind="snap", settings={"bits": 4}), StepSpec(kind="share", settings={})]
    data, (snapped, shared) = apply_file_steps(ORIGINAL, specs, Examples())
    assert shared.bytes_after < snapped.bytes_after
    np.testing.assert_array_equal(score(data, EXAMPLES), score(snap(ORIGINAL, bits=4), EXAMPLES))


@pytest.mark.parametrize("bits", [1, 8])
def test_other_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValidationError, match="bits"):
        Settings(bits=bits)


def test_schemes_without_int8_kernels_are_named() -> None:
    assert FILE_STEPS["snap"].idle_under >= {"float32", "float16"}
