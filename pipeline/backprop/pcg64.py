"""The random numbers of many seeds at once: to the bit those of `np.random.Generator(np.random.PCG64(seed)).random(size)`.

Seeding NumPy's generator takes 8 µs, which is as long as 1,000 epochs of a small network. Here all seeds go through each step
together, as integers that wrap around. The steps are NumPy's, which promises to keep them: the entropy pool of SeedSequence
(M. E. O'Neill's seed_seq_fe128, with 4 words of 32 bits), and PCG-XSL-RR-128/64 (M. E. O'Neill, "PCG: A Family of Simple Fast
Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array

Words = NDArray[np.uint32]
Half = NDArray[np.uint64]
Halves = tuple[Half, Half]  # 128-bit integers: their upper and lower halves

WORDS = 4  # of the pool
FIRST_IN, STEP_IN, FIRST_OUT, STEP_OUT = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
LEFT, RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
HALF_WORD = np.uint32(16)
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
LOW_WORD = np.uint64(0xFFFFFFFF)


def uniform(seeds: Sequence[int], size: int) -> Array:
    """`size` numbers from 0 to 1 for each seed from 0 to 2^64 - 1, (size, R)."""
    if not is_faster(len(seeds), size):
        return np.array([np.random.Generator(np.random.PCG64(seed)).random(size) for seed in seeds]).T
    high, low = np.divmod(np.array(seeds, np.uint64), np.uint64(2**32))
    words = [one.astype(np.uint64) for one in pool_output(low.astype(np.uint32), high.astype(np.uint32))]
    state_high, state_low, stream_high, stream_low = (words[i] | words[i + 1] << np.uint64(32) for i in range(0, 8, 2))
    return numbers((state_high, state_low), (stream_high, stream_low), size)


def is_faster(seeds: int, size: int) -> bool:
    """Whether this is faster than NumPy's generators, one by one; measured: it is for many seeds and small networks."""
    return size <= 512 and seeds >= 32 + 2 * size


def hashing(constant: int, step: int) -> Callable[[Words], Words]:
    """A function that hashes words, each time it is called with another constant."""

    def hashed(words: Words) -> Words:
        nonlocal constant
        words = words ^ np.uint32(constant)
        constant = constant * step % 2**32
        words = words * np.uint32(constant)
        return words ^ words >> HALF_WORD

    return hashed


def pool_output(low: Words, high: Words) -> list[Words]:
    """SeedSequence's pool filled by seeds, as two words each, and the 8 words that it gives."""
    hashed = hashing(FIRST_IN, STEP_IN)
    nothing = np.zeros_like(low)
    pool = [hashed(word) for word in (low, high, nothing, nothing)]
    for source in range(WORDS):
        for target in range(WORDS):
            if source != target:
                mixed = LEFT * pool[target] - RIGHT * hashed(pool[source])
                pool[target] = mixed ^ mixed >> HALF_WORD
    hashed = hashing(FIRST_OUT, STEP_OUT)
    return [hashed(pool[number % WORDS]) for number in range(2 * WORDS)]


def numbers(state: Halves, stream: Halves, size: int) -> Array:
    """The first numbers of PCG64 with these initial states and streams."""
    one, top = np.uint64(1), np.uint64(63)
    increment = stream[0] << one | stream[1] >> top, stream[1] << one | one
    state = stepped(added(increment, state), increment)
    result = np.empty((size, len(state[0])))
    for row in result:
        state = stepped(state, increment)
        high, low = state
        mixed, turn = high ^ low, high >> np.uint64(58)
        turned = mixed >> turn | mixed << (-turn & top)
        np.multiply(turned >> np.uint64(11), 2.0**-53, out=row)
    return result


def stepped(state: Halves, increment: Halves) -> Halves:
    """The next states: multiplied, and added to."""
    high, low = state
    by_high, by_low = np.uint64(MULTIPLIER >> 64), np.uint64(MULTIPLIER & (2**64 - 1))
    product = high * by_low + low * by_high + upper_half(low, by_low), low * by_low
    return added(product, increment)


def added(one: Halves, other: Halves) -> Halves:
    """A sum modulo 2^128."""
    low = one[1] + other[1]
    return one[0] + other[0] + (low < one[1]), low


def upper_half(one: Half, other: np.uint64) -> Half:
    """The upper 64 bits of products of 64-bit integers."""
    word = np.uint64(32)
    low, high, other_low, other_high = one & LOW_WORD, one >> word, other & LOW_WORD, other >> word
    middle = high * other_low + (low * other_low >> word)
    crossed = low * other_high + (middle & LOW_WORD)
    upper: Half = high * other_high + (middle >> word) + (crossed >> word)
    return upper
