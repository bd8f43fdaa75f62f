"""Messages of the job list."""

from __future__ import annotations

from textual.message import Message

from eternal_tui.core.sanitize import SafeText


class Highlighted(Message, namespace="job_list"):
    """The cursor is on another job now, or on none."""

    def __init__(self, job_id: int | None) -> None:
        super().__init__()
        self.job_id = job_id


class OpenRequested(Message, namespace="job_list"):
    """The user asked to open this job."""

    def __init__(self, job_id: int) -> None:
        super().__init__()
        self.job_id = job_id


class BatchOpenRequested(Message, namespace="job_list"):
    """The user asked to open this batch."""

    def __init__(self, batch: str) -> None:
        super().__init__()
        self.batch = batch


class MarksChanged(Message, namespace="job_list"):
    """Other jobs are marked now."""

    def __init__(self, job_ids: frozenset[int]) -> None:
        super().__init__()
        self.job_ids = job_ids


class TitleChanged(Message, namespace="job_list"):
    """The list has another title or position now."""


class FilterRequested(Message, namespace="job_list"):
    """The user asked to type a filter, or with `find` a search that leaves every job listed."""

    def __init__(self, text: str, *, find: bool = False) -> None:
        super().__init__()
        self.text = text
        self.find = find


class FilterCleared(Message, namespace="job_list"):
    """The user cleared the filter or search from within the list."""


class Notice(Message, namespace="job_list"):
    """A sentence for the user."""

    def __init__(self, text: SafeText) -> None:
        super().__init__()
        self.text = text
