"""Random numbers that depend on their key alone, so that resuming changes none of them."""

import hashlib
from enum import IntEnum

import torch


class Stream(IntEnum):
    """The use of random numbers. It is a part of their key, so that no two uses draw the same."""

    INITIAL = 1
    PAIRS = 2
    EXAM = 3
    BROWSED_IMAGES = 4
    BROWSED_PAIRS = 5
    HOLDOUT = 6
    EPISODES = 7
    PILOT = 8
    CALIBRATION = 9
    BEYOND = 10
    PROXIES = 11
    VERSIONS = 12


def random_generator(device: torch.device, *key: int) -> torch.Generator:
    """Return a generator on device whose numbers are a function of key alone.

    random_generator(device, seed, Stream.PAIRS, step)
    """
    words = b"".join((part % 2**128).to_bytes(16, "little") for part in key)
    seed = int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little") >> 1  # 63 bits: a signed seed
    return torch.Generator(device=device).manual_seed(seed)
