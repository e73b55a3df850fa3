"""Random numbers that depend on the study's seed and on names (subject, arm, round), never on the order of jobs."""

import hashlib

import numpy as np


def seed_of(seed: int, *names: str | int) -> int:
    """A 63-bit seed derived from the study's seed and names, for example ``seed_of(2022, "split", "paper", 10059)``."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng(seed: int, *names: str | int) -> np.random.Generator:
    """A random generator seeded with `seed_of`."""
    return np.random.default_rng(seed_of(seed, *names))
