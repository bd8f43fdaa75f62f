"""Drafts of new requests, restored drafts, and prompts that expand to several."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import DraftStore, Presets
from eternal_tui.jobs.model import JobState, to_record
from eternal_tui.sandbox.faults import Fault, FaultPlace, FaultRule
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.tui.request_form.messages import PresetsChanged, SubmitRequested
from eternal_tui.tui.screens.main import MainScreen
from tests.tui.jobs import make_job
from tests.tui.request_form.form_app import open_form, type_text
from tests.tui.screens.stage import ENVIRON, make_app, open_services, wait_until

DRAFT = Draft(character="6870", prompt="in rain", type="video", duration=2, count=3)


async def test_start_new_empties_the_prompt_and_restore_brings_it_back() -> None:
    async with open_form(DRAFT, drawer=True) as (app, pilot):
        app.form.start_new()
        assert app.form.draft == msgspec.structs.replace(DRAFT, prompt="")
        await pilot.pause()
        assert "⏎" not in app.screen_text()
        assert "^g restores: in rain" in app.screen_text()
        await pilot.press("tab", *"sun", "ctrl+g")
        assert app.form.draft.prompt == "in rain"
        assert "restored draft · typing replaces it" in app.screen_text()
        await pilot.press("ctrl+g")
        assert app.form.draft.prompt == "sun"


async def test_clear_empties_the_form_and_its_draft_comes_back() -> None:
    async with open_form(DRAFT) as (app, pilot):
        await pilot.press("ctrl+l")
        assert app.form.draft == Draft()
        await pilot.press("ctrl+g")
        assert app.form.draft.prompt == "in rain"
        app.form.set_presets(Presets().with_preset("p", Draft(prompt="start")).toggle_default("p"))
        await pilot.press("ctrl+l")
        assert app.form.draft == Draft(prompt="start")


async def test_typing_replaces_a_restored_prompt_and_continues_one_moved_into() -> None:
    async with open_form(drawer=True) as (app, pilot):
        app.form.load(DRAFT, "restored draft", is_replaceable=True)
        await pilot.press("tab", *"new")
        assert app.form.draft.prompt == "new"
        await pilot.press("ctrl+g")
        assert app.form.draft.prompt == "in rain"
        await pilot.press("right", *"!")
        assert app.form.draft.prompt == "in rain!"


async def test_typing_after_sending_replaces_what_was_sent() -> None:
    async with open_form() as (app, pilot):
        await pilot.press(*"6870", "tab", *"one", "ctrl+s")
        app.form.mark_sent(app.posted_of_type(SubmitRequested)[-1].requests)
        assert "Prompt · sending" in app.screen_text()
        app.form.confirm_sent(sent=True)
        await pilot.pause()
        assert "Prompt · sent" in app.screen_text()
        await pilot.press(*"two", "ctrl+s")
        assert [body["prompt"] for body in app.submitted_bodies] == ["one", "two"]


async def test_a_template_is_counted_and_sent_with_every_prompt() -> None:
    async with open_form(
        Draft(character="6870", prompt="a {red|blue} coat, {{x}}\nplain", one_per_line=True, count=2), drawer=True
    ) as (app, pilot):
        app.form.set_estimate(0.1)
        await pilot.pause()
        assert "6 requests · ~0.60 credits" in app.screen_text()
        assert "3 Astrid · image · a blue coat, {x}" in app.screen_text()
        await pilot.press("ctrl+s")
        (sent,) = app.posted_of_type(SubmitRequested)
        template = "a {red|blue} coat, {{x}}"
        assert list(zip((each.prompt for each in sent.requests), sent.templates, strict=True)) == [
            *[("a red coat, {x}", template)] * 2,
            *[("a blue coat, {x}", template)] * 2,
            *[("plain", "")] * 2,
        ]


async def test_what_cannot_be_sent_says_why() -> None:
    async with open_form(drawer=True) as (app, pilot):
        for draft, reason in (
            (Draft(prompt="a {red|blue"), "not closed"),
            (Draft(prompt="{a|b}" * 7), "128"),
            (Draft(prompt="{|x}"), "Prompt is required"),
            (
                Draft(prompt="\n".join("abcdef"), one_per_line=True, count=20),
                "120 requests: one submit sends 100 at most.",
            ),
        ):
            app.form.load(msgspec.structs.replace(draft, character="6870"))
            await pilot.press("ctrl+s")
            assert reason in " ".join(app.screen_text().split())
            assert app.submitted_bodies == []


async def test_an_older_prompt_with_braces_is_sent_as_it_was() -> None:
    async with open_form(Draft(character="6870")) as (app, pilot):
        app.form.show_history(["a {b|c} {{d}}"])
        await pilot.pause()
        await pilot.press("enter", "ctrl+s")
        assert [body["prompt"] for body in app.submitted_bodies] == ["a {b|c} {{d}}"]


async def test_a_saved_snippet_is_inserted_by_its_name() -> None:
    async with open_form(Draft(character="6870", prompt="a red coat"), drawer=True, size=(100, 24)) as (app, pilot):
        await pilot.press("ctrl+t")
        await pilot.press("at", *"coat", "ctrl+s")
        assert "Saved as @coat." in app.screen_text()
        await pilot.press("escape")
        assert app.posted_of_type(PresetsChanged)[-1].snippets == {"coat": "a red coat"}
        app.form.start_new()
        await pilot.press("tab")
        await type_text(pilot, "in ")
        await pilot.press("at", *"co")
        assert "@coat: space inserts" in app.screen_text()
        await type_text(pilot, "at, ")
        assert app.form.draft.prompt == "in a red coat, "
        await pilot.press("at", *"coat", "ctrl+s")
        assert [body["prompt"] for body in app.submitted_bodies] == ["in a red coat, a red coat"]


async def test_ctrl_e_on_a_path_reads_the_prompts_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\n\n{two|three}\n")
    async with open_form(Draft(character="6870", prompt=str(file)), drawer=True, size=(100, 24)) as (app, pilot):
        await pilot.press("ctrl+e")
        assert app.form.draft.one_per_line
        await pilot.press("ctrl+s")
        assert [body["prompt"] for body in app.submitted_bodies] == ["one", "two", "three"]


async def test_n_starts_empty_and_e_edits_the_prompt_of_a_job(tmp_path: Path) -> None:
    async with open_services(tmp_path) as services:
        job = make_job(prompt="at {sea}", template="at {{sea}}", state=JobState.FAILED)
        services.history.add_many([to_record(job)])
        app = make_app(services)
        async with app.run_test(size=(140, 40)) as pilot:
            screen = app.screen
            assert isinstance(screen, MainScreen)
            await wait_until(pilot, lambda: screen.form_pane.form is not None)
            form = screen.form_pane.form
            assert form is not None
            await pilot.press("e")
            assert form.draft.prompt == "at {sea}"
            await pilot.press("escape", "n")
            assert (form.draft.prompt, form.draft.character) == ("", job.request.character)
            await pilot.press("tab", *"in rain", "ctrl+g")
            assert form.draft.prompt == "at {sea}"
        assert DraftStore(services.data_dir).load() == form.draft


async def test_a_prompt_typed_while_another_is_sent_is_the_next_one(tmp_path: Path) -> None:
    """The response to the first request takes a while."""
    settings = SandboxSettings(
        faults=(FaultRule(fault=Fault.SLOW, places=(FaultPlace.POST,), times=1),), slow_seconds=1.0
    )
    async with Sandbox(settings) as sandbox:
        environ = {**ENVIRON, "ETERNALAI_API_KEY": sandbox.key}
        async with open_services(tmp_path, environ, base_url=sandbox.api_url) as services:
            app = make_app(services, environ)
            async with app.run_test(size=(140, 40)) as pilot:
                await pilot.press("n", *"6870", "tab", *"one", "ctrl+s")
                await wait_until(pilot, lambda: len(sandbox.posts) == 1)
                await pilot.press(*"two", "ctrl+s")
                await wait_until(pilot, lambda: len(sandbox.posts) == 2)
                await wait_until(pilot, lambda: all(job.request_id for job in services.jobs.store.newest_first()))
                assert [job.request.prompt for job in services.jobs.store.newest_first()] == ["two", "one"]
