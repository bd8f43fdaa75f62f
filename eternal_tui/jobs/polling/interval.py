"""When to look at a job next: pure functions over its age, what was seen of it, and learned durations."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from eternal_tui.jobs.polling.durations import DurationModel, Durations, Kind
from eternal_tui.jobs.polling.posterior import Branch, believe
from eternal_tui.jobs.polling.progress_models import Shape, Sighting

__all__ = [
    "MAX_WAIT",
    "MIN_WAIT",
    "DurationModel",
    "Durations",
    "Kind",
    "Sighting",
    "about_left",
    "backoff",
    "next_poll",
    "resume_delay",
    "stalled_wait",
]

MIN_WAIT = 0.5
"""Seconds; never look sooner than this after a look."""

MAX_WAIT = 45.0
"""Seconds; a running job is looked at this often at least: an early failure is not missed for long."""

_OLDEST = 1e7
"""Seconds; ages beyond are taken for this one."""

_WAITS = (1.0, 1.9, 3.6, 6.8, 9.0, 13.0, 18.0, 24.0, 32.0)
"""Seconds; waits weighed beside those that the learned durations suggest, for jobs far beyond these."""

_MANY = 12
"""Looks that even an unlucky job hardly needs; each one more makes the least wait longer, so that none is a storm."""

_HARDLY = 0.5
"""Requests; what finding the end late can cost before the longest wait is over, below which that wait is not weighed
against shorter ones. A job in view is so all the time long before its end: with progress that nears its end ever more
slowly, a clip took 23 looks and was 2.7 seconds late where each was weighed, and takes 14 and 0.9."""

_FORESEEN = 3
"""Looks thought ahead where progress is reported."""

_EAGER = 1.6
"""Where progress is reported, lateness counts this much more: looks are cheap there, their sum hardly grows
(measured by `tests/benchmarks/cadence_simulation.py`: 1 to 3 %), and lateness falls by a quarter."""

_EAGER_IN_THE_DARK = 4.5
"""The same where progress moves in steps of COARSE or more: between two steps nothing is told. For clips in
steps of 25 a look and a half more brings 2.1 seconds late to 1.3 (`tests/benchmarks/cadence_simulation.py`)."""

_EAGER_AMID_NOISE = 2.6
"""The same where readings are noisy: the noise is taken to be about the job's true share of time, and a service whose
progress never falls reports the highest of many such readings. For such clips 0.8 looks more bring 1.7 seconds
late to 1.3 (`tests/benchmarks/cadence_simulation.py`)."""

COARSE = 20
"""Per cent."""

RESUME_AT_ONCE = 4
"""Jobs looked at as soon as the program starts: as many as there are polling workers."""

RESUME_PER_SECOND = 10.0
"""Looks a second at the rest of them."""


def next_poll(
    *,
    age: float,
    sightings: Sequence[Sighting],
    model: DurationModel,
    weight: float,
    longest: float = MAX_WAIT,
) -> float:
    """Return the seconds until the next look, between MIN_WAIT and `longest`, itself at most MAX_WAIT.

    `sightings` are all looks at the job so far, oldest first. `weight` is what one second of finding the end late
    costs, in requests; 1 is the default.
    """
    longest = _clamped(longest, MIN_WAIT, MAX_WAIT)
    age = _clamped(age, 0.0, _OLDEST)
    weight = _clamped(weight, 0.01, 100.0)
    branches = believe(age, sightings, _sane(model))
    if longest < MAX_WAIT and weight * longest * _ended(branches, age + longest) < _HARDLY:
        return longest
    best = _cheapest(age, branches, weight, longest)
    tired = MIN_WAIT * 1.3 ** min(max(len(sightings) - _MANY, 0), 30)
    return _clamped(max(best - age, tired), MIN_WAIT, longest)


def _ended(branches: Sequence[Branch], age: float) -> float:
    """Return the chance that the job has ended by this age."""
    log = [math.log(max(age, 1e-3))]
    return sum(branch.weight * branch.ended([age], log)[0] for branch in branches)


def _sane(model: DurationModel) -> DurationModel:
    mu, sigma = _clamped(model.mu, -2.0, 10.0), _clamped(model.sigma, 0.05, 2.0)
    return model if (mu, sigma) == (model.mu, model.sigma) else msgspec.structs.replace(model, mu=mu, sigma=sigma)


def _cheapest(age: float, branches: Sequence[Branch], weight: float, longest: float) -> float:
    """Return the age to look at: least expected cost of this look, of finding the end late, and of what follows."""
    soonest, latest = age + MIN_WAIT, age + longest
    ages = _candidates(age, branches, latest)
    logs = [math.log(max(at, 1e-3)) for at in ages]
    reachable = bisect_right(ages, latest)
    costs = [0.0] * reachable
    unaided = [0.0] * len(ages)
    blank = sum(branch.weight for branch in branches if branch.shape is None)
    ways: list[_Way] = []
    for branch in branches:
        ended = branch.ended(ages, logs)
        if branch.shape is None:
            share = branch.weight / blank
            unaided = [sum_ + share * chance for sum_, chance in zip(unaided, ended, strict=True)]
        else:
            eager = weight * _eagerness(branch.shape)
            late = branch.late(ages[:reachable], ended)
            ways.append(_Way(branch, branch.shape, eager, [1 - chance for chance in ended]))
            for i in range(reachable):
                # What follows a look that finds no end is one more look at least.
                costs[i] += branch.weight * (eager * late[i] + max(1 - ended[i], 0.0))
    if blank > 1e-3:
        for i, cost in enumerate(_costs_unaided(ages, unaided, weight)[:reachable]):
            costs[i] += blank * cost
    best = (math.inf, 0.0)
    for least, i in sorted((cost, i) for i, cost in enumerate(costs) if ages[i] >= soonest):
        if round(least, 2) > best[0]:
            break
        best = min(best, (_with_what_follows(least, ways, i, ages[i], best[0] + 0.01), -ages[i]))
    return -best[1]


def _with_what_follows(least: float, ways: Sequence[_Way], i: int, at: float, most: float) -> float:
    """Return what a candidate costs with all later looks, to two places; what is beyond `most` is not worked out."""
    for way in ways:
        least += way.beyond(i, at)
        if least > most:
            return math.inf
    return round(least, 2)


def _eagerness(shape: Shape) -> float:
    if shape.noise:
        return _EAGER_AMID_NOISE
    return _EAGER if shape.step < COARSE else _EAGER_IN_THE_DARK


def _candidates(age: float, branches: Sequence[Branch], latest: float) -> list[float]:
    """Return the ages worth weighing, ascending from this one, none a hair beside another."""
    soonest = age + MIN_WAIT
    distinct = {(b.mu, b.sigma, b.after, b.before): b for b in reversed(branches)}.values()
    near: list[float] = []
    far: list[float] = []
    for branch in distinct:
        worth = branch.ages()
        near += [min(max(at, soonest), latest) for at in worth]
        if branch.shape is None:
            far += [at for at in worth if at > latest]
    candidates = [age, soonest]
    for at in sorted([*near, *(age + wait for wait in _WAITS if age + wait < latest), latest, *far]):
        if at - candidates[-1] > 0.0005 * at:
            candidates.append(at)
        elif at > soonest and len(candidates) > 2:
            candidates[-1] = at if at <= latest or candidates[-1] > latest else candidates[-1]
    return candidates


def _costs_unaided(ages: Sequence[float], ended: Sequence[float], weight: float) -> list[float]:
    """Return, for a first look at each age, what lateness and all later looks cost where progress tells nothing."""
    last = len(ages) - 1
    late = [0.0] * (last + 1)
    for i in range(1, last + 1):
        late[i] = late[i - 1] + (ended[i - 1] + ended[i]) / 2 * (ages[i] - ages[i - 1])
    ahead = [0.0] * (last + 1)
    ahead[last] = 2 * (1 - ended[last])
    for i in range(last - 1, -1, -1):
        least = math.inf
        base, at, chance = late[i], ages[i], ended[i]
        for j in range(i + 1, last + 1):
            cost = weight * (late[j] - base - chance * (ages[j] - at)) + ahead[j]
            if cost < least:
                least = cost
            elif cost > 1.2 * least + 0.2:
                break
        ahead[i] = (1 - chance) + least
    return [weight * late[i] + ahead[i] for i in range(last + 1)]


class _Way(msgspec.Struct, frozen=True, gc=False):
    """A branch whose progress goes on in a shape; `left` are the chances that no end has come by each candidate."""

    branch: Branch
    shape: Shape
    weight: float
    left: list[float]

    def beyond(self, i: int, at: float) -> float:
        """Return what later looks cost beyond one, where the first is at this candidate."""
        left, branch = self.left[i], self.branch
        if left <= 1e-6:
            return 0.0
        bounded = branch.before < math.inf
        usual = (branch.after + branch.before) / 2 if bounded else math.exp(branch.mu)
        end = max(usual, at if bounded else at * (1 + branch.sigma / 2))
        width = max(branch.before - max(at, branch.after), 0.0) if bounded else 3 * branch.sigma * end
        return branch.weight * left * (_cost_following(self.shape, at / end, width / end, self.weight * end) - 1)


def _cost_following(shape: Shape, share: float, width: float, weight: float) -> float:
    """Return what it costs to find an end known within a width, once a look at this share told the progress.

    Shares and widths are of the job's whole time, which `weight` is the cost of finding the end late by.
    """
    reach, step, noise = shape.reach, shape.step, shape.noise
    least = math.inf
    for looks in range(_FORESEEN):
        progress = min(bisect_right(reach, share), 100) - 1
        if noise:
            told = 3 * shape.blur[progress] / max(share, 1e-6)
            width = width * told / math.sqrt(width * width + told * told)
        else:
            until = min(progress + step, 100)
            width = min(width, (reach[until] - reach[progress]) / max(share, 1e-6))
        cost = looks + _cost_within(weight * width)
        if cost >= least or width > 0.8:
            return min(cost, least)
        least = cost
        share = max(share, 1 - 0.8 * width)
    return least


def _cost_within(width: float) -> float:
    """Return the cost of finding an end that lies anywhere within this weighted width, with the best count of looks."""
    looks = max(1, round(math.sqrt(width)))
    return (looks + 1) / 2 + width / (2 * looks)


def about_left(*, age: float, sightings: Sequence[Sighting], model: DurationModel) -> float | None:
    """Return about how many seconds are left, for the screen; None when nothing sensible is known."""
    if not 0 <= age <= _OLDEST:
        return None
    model = _sane(model)
    branches = believe(age, sightings, model)
    blank = sum(branch.weight for branch in branches if branch.shape is None)
    guessing = blank > 0.5 or not any(sighting.progress for sighting in sightings)
    if guessing and (model.n == 0 or math.log(max(age, 1e-3)) > model.mu + 2 * model.sigma):
        return None
    ages = sorted({age, *(at for branch in branches for at in branch.ages())})

    def chance(at: float) -> float:
        return _ended(branches, at)

    i = bisect_left(ages, 0.5, lo=1, key=chance)
    if i == len(ages):
        return None
    before, after = chance(ages[i - 1]), chance(ages[i])
    part = (0.5 - before) / max(after - before, 1e-9)
    return max(ages[i - 1] + part * (ages[i] - ages[i - 1]) - age, 0.0)


def stalled_wait(age: float) -> float:
    """Return the seconds between looks at a stalled job: 30 at half an hour of age, 120 from two hours on."""
    return _clamped(age / 60, 30.0, 120.0)


def resume_delay(index: int, total: int) -> float:
    """Return when to look first at the `index`-th of `total` jobs found unfinished at start, in seconds."""
    place = min(max(index, 0), max(total - 1, 0))
    return max(0, place - RESUME_AT_ONCE + 1) / RESUME_PER_SECOND


def backoff(failures: int) -> float:
    """Return the seconds to wait after that many looks in a row went wrong: 1, 2, 4 … 30."""
    return min(30.0, 2.0 ** min(max(failures - 1, 0), 5))


def _clamped(value: float, least: float, most: float) -> float:
    """Return `value` within bounds; what is not a number counts as the least."""
    return min(max(value, least), most) if value == value else least  # noqa: PLR0124 — NaN alone differs from itself
