"""Chance that repeats."""

from __future__ import annotations

import random


def seeded_rng(seed: object) -> random.Random:
    """A generator that gives the same row for the same name, on every machine and in every process."""
    return random.Random(str(seed))  # noqa: S311 - drawings and made-up durations, nothing secret
