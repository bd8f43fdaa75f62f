"""A character that was made, as the list, the detail, the copy menu and the notices tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.api.models import character_request
from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import SafeText
from eternal_tui.jobs.filter import needs_attention
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.detail import detail_rows
from eternal_tui.tui.job_list.row import columns_for, job_line
from eternal_tui.tui.notifications import end_message
from eternal_tui.tui.screens.job_commands import CREATION_RERUN_MESSAGE, JobCommands
from eternal_tui.tui.screens.job_dialogs import copy_items
from tests.tui.jobs import NOW


def created_job(character: str = "7001", **fields: Any) -> Job:
    request = msgspec.structs.replace(character_request("A calm pilot"), character=character)
    given = {"state": JobState.SUCCEEDED, "created_at": NOW - 60, "finished_at": NOW, "cost": 1.0, **fields}
    return Job(id=1, request=request, **given)


def detail_text(job: Job) -> str:
    return " · ".join(f"{fact.label} {fact.text}" for fact in detail_rows(job))


def test_the_list_and_the_detail_say_what_it_is_and_what_it_cost() -> None:
    line = "".join(cell.text for cell in job_line(created_job(), NOW, columns_for(120)))
    assert "created" in line
    assert "char" in line
    assert "7001" in line
    assert "State created" in detail_text(created_job())
    assert "new character" in detail_text(created_job())
    assert "~1.00 credits" in detail_text(created_job())
    assert "listed once it is created" in detail_text(created_job("", request_id="r-1"))
    assert "may have been charged" in detail_text(created_job("", state=JobState.UNCONFIRMED))


def test_it_is_announced_as_a_character_and_asks_for_nothing() -> None:
    assert created_job().is_delivered
    assert not needs_attention(created_job())
    assert end_message(created_job()) == "Job 1 created: character 7001"
    assert "once it is created" in end_message(created_job(""))


def test_no_command_is_copied_that_would_ask_for_a_picture() -> None:
    found = {one.id: one.text for one in copy_items(created_job(), Path("/r"), Settings())}
    assert set(found) == {"prompt", "json"}
    assert found["json"] == '{\n  "prompt": "A calm pilot"\n}'


class FakeScreen:
    """Keeps what it is told; asks nobody."""

    def __init__(self) -> None:
        self.notifications: list[str] = []

    def notify_user(self, text: SafeText, severity: str = "information") -> None:
        self.notifications.append(text)
        self.severity = severity


async def test_it_is_not_run_again_like_a_picture() -> None:
    face = FakeScreen()
    actions = JobCommands(None, face, {})  # type: ignore[arg-type]
    await actions.rerun([created_job()])
    await actions.retry(created_job(state=JobState.REJECTED))
    await actions.retry(created_job())
    assert face.notifications[:2] == [CREATION_RERUN_MESSAGE] * 2
    assert "Nothing to retry" in face.notifications[2]
