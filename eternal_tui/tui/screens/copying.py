"""What can be copied of a job, and why some of it is not: pure, one snapshot in, texts out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from eternal_tui.api.curl import to_curl, to_json, to_python
from eternal_tui.core.sanitize import Shown, say
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job

# A shell reads pasted control characters as keys pressed: ESC and its C1 kin begin commands to the line editor, CR
# runs the line. Newline and tab belong to prompts; a terminal's bracketed paste takes them as text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Copyable(NamedTuple):
    """One text of a job: `what` stands after "Copied the", and the text is the real one, not what is shown of it.

    One of a single line, such as a link, is copied only where it really is one.
    """

    id: str
    what: Shown
    text: str
    lines: bool = False


def copyables(job: Job, *, results: Path, base_url: str, header: str) -> list[Copyable]:
    """Return what there is to copy of the job, most wanted first."""
    request = job.request
    found: list[Copyable] = []
    if (path := result_path(job, results)) is not None:
        found.append(Copyable("path", Shown("path"), str(path.resolve())))
    if job.result_url:
        found.append(Copyable("link", Shown("link"), job.result_url))
    found.append(Copyable("prompt", Shown("prompt"), request.prompt, lines=True))
    if job.request_id:
        found.append(Copyable("request_id", Shown("request id"), job.request_id))
    if job.is_creation:
        return [*found, Copyable("json", Shown("JSON body"), to_json(request, indent=2), lines=True)]
    found += [
        Copyable("curl", Shown("curl command"), to_curl(request, base_url, header), lines=True),
        Copyable("python", Shown("Python snippet"), to_python(request, base_url, header), lines=True),
        Copyable("json", Shown("JSON body"), to_json(request, indent=2), lines=True),
    ]
    return found


def refusal(one: Copyable) -> Shown:
    """Return why this text is not copied, empty when it is: a shell could act on what it holds when it is pasted."""
    found = (_CONTROL if one.lines else _CONTROL_OR_BREAK).search(one.text)
    if found is None:
        return Shown("")
    sign = f"U+{ord(found[0]):04X}"
    return say(
        "The {what} holds a control character ({sign}) that a shell would act on when pasted; it is not copied.",
        what=one.what,
        sign=sign,
    )


def copied(one: Copyable) -> Shown:
    """Return the sentence that tells it was copied."""
    count = len(one.text)
    return say(
        "Copied the {what}, {count} {word}.",
        what=one.what,
        count=f"{count:,}",
        word="character" if count == 1 else "characters",
    )


def too_long(one: Copyable, limit: int) -> Shown:
    """Return the sentence for a text longer than a terminal takes, in bytes of UTF-8."""
    return say(
        "Too long for the terminal's clipboard: the {what} is {size} bytes, and {limit} is the most it takes.",
        what=one.what,
        size=f"{len(one.text.encode('utf-8', 'replace')):,}",
        limit=f"{limit:,}",
    )
