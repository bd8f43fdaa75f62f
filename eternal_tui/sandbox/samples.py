"""The demo's sample jobs, known to the sandbox and to the history that a demo starts with."""

from __future__ import annotations

from typing import Literal, NamedTuple


class SampleJob(NamedTuple):
    """One job: `age_seconds` before the start of the demo it was sent, and it runs for `run_seconds`.

    `state` is that of the job in the history; the answer to the unconfirmed one was lost. Those of one `batch` were
    sent together, from `template`.
    """

    request_id: str
    character: str
    name: str
    kind: Literal["image", "video"]
    prompt: str
    age_seconds: float
    run_seconds: float
    cost: float
    state: Literal["running", "unconfirmed"] = "running"
    batch: str = ""
    template: str = ""


_TEMPLATE = "{At the harbour|In the mountains|On a night train}, soft light"

SAMPLE_JOBS = (
    SampleJob(
        request_id="5a3b1c00-0000-4000-8000-000000000001",
        character="6873",
        name="Elara",
        kind="image",
        prompt="Reading by the window, rain outside",
        age_seconds=120.0,
        run_seconds=12.0,
        cost=0.04,
        state="unconfirmed",
    ),
    SampleJob(
        "5a3b1c00-0000-4000-8000-000000000002", "6873", "Elara", "video", "Waves from a small boat", 60.0, 50.0, 0.2
    ),
    *(
        SampleJob(
            request_id=f"5a3b1c00-0000-4000-8000-00000000000{number}",
            character="6870",
            name="Astrid",
            kind="image",
            prompt=prompt,
            age_seconds=20.0 - number,
            run_seconds=12.0,
            cost=0.04,
            batch="5a3b1c000000",
            template=_TEMPLATE,
        )
        for number, prompt in enumerate(
            ("At the harbour, soft light", "In the mountains, soft light", "On a night train, soft light"), 3
        )
    ),
    SampleJob(
        "5a3b1c00-0000-4000-8000-000000000006", "6876", "Julia", "video", "Dances in the evening sun", 5.0, 75.0, 0.2
    ),
)
