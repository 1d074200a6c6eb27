"""Random numbers that depend on nothing but their key."""

import hashlib
from enum import IntEnum

import torch


class Stream(IntEnum):
    """What random numbers are for, as a part of their key, so that no two uses share one."""

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


def random_generator(device: torch.device, *key: int) -> torch.Generator:
    """A generator on device whose numbers are a function of key, such as (seed, step), alone."""
    words = b"".join((part % 2**128).to_bytes(16, "little") for part in key)
    seed = int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little") >> 1  # 63 bits: a signed seed
    return torch.Generator(device=device).manual_seed(seed)
