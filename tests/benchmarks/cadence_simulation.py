"""Simulate jobs under the cadence and its peers: looks a job and how late the end is found.

    python -m tests.benchmarks.cadence_simulation [--jobs N] [--seed N] [--jitter X] [--json PATH] [--svg PATH]

Durations are lognormal; progress is a whole per cent, 0 to 99, in one of several shapes. The cadence starts from
nothing and learns as it goes, from what a client can see: the looks, and the look that found the end. The bound is
the best that can be done without progress by one who knows the distribution, by dynamic programming.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.estimation.durations import DurationEstimator, JobKind
from eternal_tui.estimation.interval import MAX_WAIT_SECONDS, next_poll
from eternal_tui.estimation.progress import Observation
from eternal_tui.sandbox.state import ProgressShape, progress_at

MEDIANS = {"image": 12.0, "video": 60.0}
"""Seconds."""

SIGMA = 0.35
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)

ATTENTION = {"linear, waited for": (4.0, 2.0), "linear, selected": (4.0, 3.0)}
"""Weight of lateness and longest wait in seconds while a script or a user waits (`jobs/polling/monitor.py`)."""

Progress = Callable[[float, float, random.Random], int | None]
"""Progress that a poll reports, from the share of its time a job has run, the seconds, and chance."""


def _whole(percent: float) -> int:
    return min(max(int(percent), 0), 99)


NAMED: dict[str, Progress] = {
    "linear": lambda share, _at, _chance: _whole(100 * share),
    "eased in and out": lambda share, _at, _chance: _whole(100 * share * share * (3 - 2 * share)),
    "eased out": lambda share, _at, _chance: _whole(100 * (1 - (1 - share) ** 2)),
    "steps of 10": lambda share, _at, _chance: _whole(100 * share) // 10 * 10,
    "noisy ±4": lambda share, _at, chance: _whole(100 * share + chance.gauss(0, 4)),
    "none": lambda _share, _at, _chance: None,
}
"""The shapes that goals are set for."""

UNNAMED: dict[str, Progress] = {
    "always 0": lambda _share, _at, _chance: 0,
    "steps of 25": lambda share, _at, _chance: _whole(100 * share) // 25 * 25,
    "linear to 98": lambda share, _at, _chance: int(98 * share),
    "sine": lambda share, _at, _chance: _whole(50 * (1 - math.cos(math.pi * share))),
    "exponential": lambda share, _at, _chance: _whole(100 * (1 - math.exp(-4 * share)) / (1 - math.exp(-4))),
    "99 from 5/6 on": lambda share, _at, _chance: _whole(120 * share),
    "queued a quarter": lambda share, _at, _chance: _whole(100 * (share - 0.25) / 0.75),
    "clock, not work": lambda _share, at, _chance: _whole(100 * (1 - math.exp(-at / 20))),
    "random": lambda _share, _at, chance: chance.randrange(100),
    # The job's whole time names it: its readings belong together.
    "noisy, never falling": lambda share, at, _chance: progress_at(ProgressShape.NOISY, share, f"{at / share:.6f}"),
}
"""Shapes beyond the goals, most of them not in the cadence's library."""


class Outcome(msgspec.Struct, frozen=True):
    """Means over simulated jobs: looks a job, seconds late; over the first ten too; milliseconds a decision."""

    looks: float
    late: float
    first_looks: float = 0.0
    first_late: float = 0.0
    ms: float = 0.0

    @property
    def cost(self) -> float:
        """Return looks plus seconds late: what weight 1 makes least."""
        return self.looks + self.late


def simulate(
    progress: Progress,
    media: str,
    jobs: int,
    *,
    weight: float = 1.0,
    seed: int = 1,
    jitter: float = 0.0,
    max_wait: float = MAX_WAIT_SECONDS,
) -> Outcome:
    """Return what the interval reaches over `jobs` jobs in a row, learning from each; jitter is a share of the wait."""
    chance, durations, kind = random.Random(seed), DurationEstimator(), JobKind(media)
    totals = [0.0, 0.0]
    first = (0.0, 0.0)
    spent, decisions = 0.0, 0
    for done in range(1, jobs + 1):
        end = MEDIANS[media] * chance.lognormvariate(0, SIGMA)
        sightings: list[Observation] = []
        at = 0.0
        while True:
            began = time.perf_counter()
            wait = next_poll(
                age=at,
                observations=sightings,
                model=durations.model(kind),
                lateness_weight=weight,
                max_wait=max_wait,
            )
            spent += time.perf_counter() - began
            decisions += 1
            at += wait * (1 + jitter * (2 * chance.random() - 1))
            totals[0] += 1
            if at >= end:
                break
            sightings.append(Observation(at, progress(at / end, at, chance)))
        totals[1] += at - end
        durations.learn_job(kind, sightings, at)
        if done == 10:
            first = (totals[0] / 10, totals[1] / 10)
    return Outcome(totals[0] / jobs, totals[1] / jobs, *first, ms=1e3 * spent / max(decisions, 1))


def peer(wait: Callable[[int, random.Random], float], media: str, jobs: int, seed: int = 1) -> Outcome:
    """Return what a policy reaches that looks at nothing but how often it has looked."""
    chance = random.Random(seed)
    looks, late = 0, 0.0
    for _ in range(jobs):
        end = MEDIANS[media] * chance.lognormvariate(0, SIGMA)
        at, count = 0.0, 0
        while at < end:
            at += wait(count, chance)
            count += 1
        looks += count
        late += at - end
    return Outcome(looks / jobs, late / jobs)


PEERS: dict[str, Callable[[int, random.Random], float]] = {
    "fixed 0.1 s": lambda _count, _chance: 0.1,
    "fixed 0.5 s": lambda _count, _chance: 0.5,
    "fixed 2 s": lambda _count, _chance: 2.0,
    "5 to 6 s at random": lambda _count, chance: 5 + chance.random(),
    "doubling 1 to 10 s": lambda count, _chance: min(2.0 ** min(count, 5), 10.0),
}


def bound(media: str, weight: float = 1.0, points: int = 500) -> Outcome:
    """Return the least of looks + weight × seconds late without progress, the distribution known, on a fine grid."""
    mu = math.log(MEDIANS[media])
    ages = [0.0, *(math.exp(mu + SIGMA * (-4 + 9 * i / points)) for i in range(points + 1))]
    ended = [0.0, *(0.5 * math.erfc(-(math.log(age) - mu) / SIGMA / math.sqrt(2)) for age in ages[1:])]
    area = [0.0]
    for i in range(1, len(ages)):
        area.append(area[-1] + (ended[i] + ended[i - 1]) / 2 * (ages[i] - ages[i - 1]))
    looks, late = [0.0] * len(ages), [0.0] * len(ages)
    for i in range(len(ages) - 2, -1, -1):
        best = math.inf
        for j in range(i + 1, len(ages)):
            delay = area[j] - area[i] - ended[i] * (ages[j] - ages[i]) + late[j]
            cost = looks[j] + weight * delay
            if cost < best:
                best, looks[i], late[i] = cost, 1 - ended[i] + looks[j], delay
            elif cost > 2 * best + 1:
                break
    return Outcome(looks[0], late[0])


def plot(media: str, fronts: dict[str, Sequence[Outcome]]) -> str:
    """Return an SVG of looks a job against seconds late, both on logarithmic axes: down and left is better."""
    colours = ("#4269d0", "#d0743c", "#3c9d5d", "#a463c7", "#c2455e", "#55707f", "#9c6b4e")
    left, top, width, height = 70, 40, 520, 400
    xs, ys = (1.5, 700.0), (0.05, 12.0)

    def x(looks: float) -> float:
        return left + width * math.log(looks / xs[0]) / math.log(xs[1] / xs[0])

    def y(late: float) -> float:
        return top + height * (1 - math.log(max(late, ys[0]) / ys[0]) / math.log(ys[1] / ys[0]))

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 500" font-family="sans-serif" font-size="12">',
        '<rect width="800" height="500" fill="#ffffff"/>',
        f'<text x="{left}" y="24" font-size="15" fill="#222">{media}: looks a job and seconds until found</text>',
    ]
    for tick in (2, 5, 10, 20, 50, 100, 200, 500):
        parts.append(f'<path d="M{x(tick):.1f} {top}V{top + height}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{top + height + 18}" text-anchor="middle" fill="#444">{tick}</text>')
    for level in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10):
        parts.append(f'<path d="M{left} {y(level):.1f}H{left + width}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{left - 8}" y="{y(level) + 4:.1f}" text-anchor="end" fill="#444">{level:g}</text>')
    middle, across = left + width / 2, top + height / 2
    parts.append(f'<text x="{middle}" y="{top + height + 40}" text-anchor="middle" fill="#222">looks a job</text>')
    parts.append(f'<text x="20" y="{across}" transform="rotate(-90 20 {across})" text-anchor="middle" fill="#222">')
    parts.append("seconds late, mean</text>")
    for n, (name, front) in enumerate(fronts.items()):
        colour = "#888888" if name == "peers" else colours[n % len(colours)]
        spots = [(x(outcome.looks), y(outcome.late)) for outcome in front]
        if name != "peers":
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
            dash = ' stroke-dasharray="5 4"' if name.startswith("bound") else ""
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in spots]
        parts.append(f'<circle cx="{left + width + 24}" cy="{top + 20 * n + 10}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{left + width + 36}" y="{top + 20 * n + 14}" fill="#222">{name}</text>')
    for name, outcome in zip(PEERS, fronts["peers"], strict=True):
        parts.append(f'<text x="{x(outcome.looks) + 7:.1f}" y="{y(outcome.late) - 6:.1f}" fill="#666">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _row(media: str, name: str, outcome: Outcome, note: str = "") -> str:
    return f"{media:6} {name:22} {outcome.looks:7.2f} {outcome.late:7.2f} {outcome.cost:7.2f}  {note}"


def main() -> None:
    """Print the table; write it as JSON and the Pareto fronts as SVG, one a media type, where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jitter", type=float, default=0.0, help="random share of each wait, as a caller adds it")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path, help="name.svg makes name-image.svg and name-video.svg")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    print(f"{'':29} {'looks':>7} {'late s':>7} {'sum':>7}")
    for media in MEDIANS:
        table: dict[str, Any] = {}
        rows[media] = table
        least = bound(media)
        table["bound without progress"] = least
        print(_row(media, "bound without progress", least))
        for name, wait in PEERS.items():
            table[name] = peer(wait, media, min(options.jobs, 5_000), options.seed)
            print(_row(media, name, table[name]))
        for name, progress in {**NAMED, **UNNAMED}.items():
            jobs = options.jobs if name in NAMED else options.jobs // 4
            found = simulate(progress, media, jobs, seed=options.seed, jitter=options.jitter)
            table[f"cadence, {name}"] = found
            note = f"first ten {found.first_looks:.1f} / {found.first_late:.2f}, {found.ms:.2f} ms a decision"
            if name in {"none", "always 0"}:
                note += f", {found.cost / least.cost - 1:+.1%} of the bound"
            print(_row(media, name, found, note), flush=True)
        for name, (weight, max_wait) in ATTENTION.items():
            found = simulate(NAMED["linear"], media, options.jobs // 10, weight=weight, max_wait=max_wait)
            table[name] = found
            print(_row(media, name, found), flush=True)
    if options.json:
        settings = {"jobs": options.jobs, "seed": options.seed, "jitter": options.jitter, "sigma": SIGMA}
        options.json.write_text(json.dumps({**settings, "rows": msgspec.to_builtins(rows)}, indent=1) + "\n")
    if options.svg:
        for media in MEDIANS:
            fronts: dict[str, Sequence[Outcome]] = {
                name: [simulate(progress, media, options.jobs // 10, weight=weight) for weight in WEIGHTS]
                for name, progress in NAMED.items()
            }
            fronts["bound, no progress"] = [bound(media, weight) for weight in WEIGHTS]
            fronts["peers"] = [rows[media][name] for name in PEERS]
            options.svg.with_name(f"{options.svg.stem}-{media}.svg").write_text(plot(media, fronts))


if __name__ == "__main__":
    main()
