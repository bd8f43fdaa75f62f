"""What a job is about, in the words the app and its pages share: whom it shows, what was asked for, what came."""

from __future__ import annotations

from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.jobs.model import Job, MediaFacts


def counted(number: int, noun: str) -> Shown:
    """Return how many there are of a regular noun: 1 job, 3 jobs."""
    return say("{number} {noun}{s}", number=number, noun=noun, s="" if number == 1 else "s")


def who(job: Job) -> Shown:
    """Return the job's character by name and id."""
    if not job.name:
        return shown(job.request.character) if job.request.character else Shown("not known yet")
    return say("{name} {id}", name=shown(job.name, limit=60), id=job.request.character)


def kind(job: Job) -> Shown:
    """Return what was asked for, in words."""
    request = job.request
    if job.is_creation:
        return Shown("a new character")
    if request.type == "image":
        return say("picture, {quality} quality", quality=request.quality) if request.quality else Shown("picture")
    parts = [Shown("clip")]
    if request.duration is not None:
        parts.append(say("{n} s", n=request.duration))
    if request.audio is not None:
        parts.append(Shown("with sound") if request.audio else Shown("no sound"))
    return join(", ", *parts)


def file_words(facts: MediaFacts) -> Shown:
    """Return what a verified file is: pixels, length, codec, sound, bytes."""
    parts: list[Shown] = []
    if facts.width:
        parts.append(say("{w}×{h}", w=facts.width, h=facts.height))
    if facts.seconds:
        parts.append(say("{s} s", s=f"{facts.seconds:.1f}"))
    if facts.codec:
        parts.append(shown(facts.codec, limit=20))
    if facts.seconds:
        parts.append(Shown("sound") if facts.sound else Shown("silent"))
    if facts.bytes:
        parts.append(size(facts.bytes))
    return join(" · ", *parts)


def size(count: int) -> Shown:
    """Return a number of bytes as a person says it."""
    if count < 1_000:
        return say("{n} B", n=count)
    if count < 1_000_000:
        return say("{n} kB", n=f"{count / 1_000:.0f}")
    return say("{n} MB", n=f"{count / 1_000_000:.1f}")
