"""Which texts are nearly the same: those that differ in a word or two of many."""

import random

import numpy as np

from components.common.tasks.text import likeness
from components.common.tasks.text.sketches import HASHES, NUMBERS, sketch_text


def sketch(text: list[int]) -> bytes:
    return sketch_text(text, characters=5 * len(text), unknown=0, script="LATIN")


def sketches(texts: list[list[int]]) -> np.ndarray:
    return np.array([list(sketch(text)) for text in texts], np.uint8)


def test_a_text_with_another_word_is_nearly_the_same_and_one_of_half_its_words_is_not():
    chance = random.Random(3)
    texts = [[chance.randrange(1000, 30_000) for _ in range(40)] for _ in range(50)]
    changed = [[*text[:20], 999, *text[21:]] for text in texts]
    halves = [text[:20] for text in texts]
    one, other, half = sketches(texts), sketches(changed), sketches(halves)
    alike = likeness.are_alike(one, other)
    assert alike.mean() > 0.9
    assert likeness.may_be_alike(likeness.keys(one), likeness.keys(other))[alike].all()
    assert likeness.are_alike(one, half).mean() < 0.1
    assert not likeness.are_alike(one, np.roll(one, 1, axis=0)).any()


def test_the_share_of_equal_numbers_is_that_of_what_both_texts_have():
    """Over many texts of which each shares a third of the words that either has."""
    chance = random.Random(5)
    shares = []
    for _ in range(200):
        words = [chance.randrange(30_000) for _ in range(3)]
        one, other = ([words[0], word] for word in words[1:])
        pair = (np.frombuffer(sketch(text)[-4 * HASHES :], "<u4") for text in (one, other))
        shares.append(np.equal(*pair).mean())
    # Of 3 words and 5 pairs of words, the beginning's among them, 2 are in both.
    assert abs(np.mean(shares) - 2 / 8) < 0.03


def test_a_text_without_words_has_a_sketch_too():
    assert len(sketch([])) == len(sketch([7] * 400)) == 4 * (len(NUMBERS) + HASHES)
