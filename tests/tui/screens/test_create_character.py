"""A character that was made, as the list, the detail, the copy menu and the notices tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.api.models import creation
from eternal_tui.core.sanitize import Shown
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.detail.text import facts
from eternal_tui.tui.job_list.filter import needs_attention
from eternal_tui.tui.job_list.row import job_line
from eternal_tui.tui.notifications import sentence
from eternal_tui.tui.screens.copy import copyables
from eternal_tui.tui.screens.job_commands import ANOTHER_CHARACTER, JobActions
from tests.tui.jobs import NOW


def made(character: str = "7001", **fields: Any) -> Job:
    request = msgspec.structs.replace(creation("A calm pilot"), character=character)
    given = {"state": JobState.SUCCEEDED, "created_at": NOW - 60, "finished_at": NOW, "cost": 1.0, **fields}
    return Job(id=1, request=request, **given)


def told(job: Job) -> str:
    return " · ".join(f"{fact.label} {fact.text}" for fact in facts(job))


def test_the_list_and_the_detail_say_what_it_is_and_what_it_cost() -> None:
    """Seen to fail with a line that calls it a saved picture."""
    line = "".join(cell.text for cell in job_line(made(), NOW, 120))
    assert "created" in line
    assert "char" in line
    assert "7001" in line
    assert "State created" in told(made())
    assert "a new character" in told(made())
    assert "about 1.00 credits" in told(made())
    assert "the list has it when it is made" in told(made("", request_id="r-1"))
    assert "may be charged" in told(made("", state=JobState.UNCONFIRMED))


def test_it_is_announced_as_a_character_and_asks_for_nothing() -> None:
    assert made().delivered
    assert not needs_attention(made())
    assert sentence(made()) == "Job 1: character 7001 was created."
    assert "when it is made" in sentence(made(""))


def test_no_command_is_copied_that_would_ask_for_a_picture() -> None:
    """Seen to fail with the curl command of a picture without a character."""
    found = {
        one.id: one.text for one in copyables(made(), results=Path("/r"), base_url="https://x.y", header="x-api-key")
    }
    assert set(found) == {"prompt", "json"}
    assert found["json"] == '{\n  "prompt": "A calm pilot"\n}'


class Face:
    """Keeps what it is told; asks nobody."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, text: Shown, severity: str = "information") -> None:
        self.told.append(text)
        self.severity = severity


async def test_it_is_not_run_again_like_a_picture() -> None:
    face = Face()
    actions = JobActions(None, face, {})  # type: ignore[arg-type]
    await actions.again([made()])
    await actions.retry(made(state=JobState.REJECTED))
    await actions.retry(made())
    assert face.told[:2] == [ANOTHER_CHARACTER] * 2
    assert "nothing to retry" in face.told[2]
