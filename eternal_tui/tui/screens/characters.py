"""The listed characters with avatar and description, to search, mark and choose; CreateCharacter creates one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import Character, InvalidRequest, character_request
from eternal_tui.characters.catalog import Favourites, FavouriteStore
from eternal_tui.core.formatting import format_cost
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize, sanitize_block
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.errors import SubmitRejected
from eternal_tui.jobs.model import JobState
from eternal_tui.services import Services
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.graphics.base import FaceSource
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.terminal.textual_internals import watch_toast_height
from eternal_tui.tui.widgets.dialog import ConfirmDialog, Dialog, ResultScreen
from eternal_tui.tui.widgets.footer import FooterLine, HelpMixin, KeyHint
from eternal_tui.tui.widgets.option_table import Column, FaceList, VirtualList
from eternal_tui.tui.widgets.search_dialog import SearchInput

FACETS = ("all", "favourites", "recent")

AVATAR_DELAY_SECONDS = 0.12
"""Seconds the cursor rests on a row before its avatar is requested."""

RECENT_JOB_COUNT = 500
"""Newest jobs searched for recent characters."""


class CharactersScreen(HelpMixin, ResultScreen[str | None]):
    """Leaves with the ID of the chosen or just created character."""

    CSS = """
    CharactersScreen { background: $background; }
    CharactersScreen #browser { height: 1fr; border: round $border; border-title-color: $foreground; padding: 0 1; }
    CharactersScreen #found { width: 3fr; }
    CharactersScreen #about { width: 2fr; padding: 0 0 0 2; }
    CharactersScreen #about MediaView { height: 2fr; }
    CharactersScreen #about VerticalScroll { height: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; }
    CharactersScreen.-words #about MediaView { display: none; }
    CharactersScreen #bio { height: auto; }
    CharactersScreen Input, CharactersScreen Input:focus {
        border: none; height: 1; padding: 0; background: transparent; margin-bottom: 1;
    }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("browser")]

    def __init__(self, services: Services, terminal: TerminalContext) -> None:
        super().__init__()
        self._services = services
        self._terminal = terminal
        self._favourite_store = FavouriteStore(services.data_dir)
        self._favourites = self._favourite_store.load()
        self._characters: Sequence[Character] = ()
        self._search_texts: list[str] = []
        self._facet, self._match_count = FACETS[0], 0
        self._shown: Character | None = None
        self._search_input = SearchInput(
            placeholder="/ searches name, ID and story", compact=True, select_on_focus=False
        )
        columns = (Column(1), Column(18), Column(3, dim=True, align_right=True), Column(0, dim=True))
        self._list = FaceList(
            columns,
            self._row_cells,
            row_url=lambda row: self._characters[row].avatar_url,
            source=FaceSource(terminal.graphics, services.avatars.get),
            id="characters",
        )
        self._avatar = MediaView(terminal.graphics, cache=terminal.frame_cache)
        self._bio = Static(markup=False, id="bio")
        self._footer = FooterLine()
        self._status_text = SafeText("")
        self._is_creating = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="browser"):
            with Vertical(id="found"):
                yield self._search_input
                yield self._list
            with Vertical(id="about"):
                yield self._avatar
                yield VerticalScroll(self._bio, can_focus=False)
        yield self._footer

    def on_mount(self) -> None:
        watch_toast_height(self, self._reserve_toast_rows)
        self.set_class(not any(self._terminal.graphics.cell_size), "-words")
        self._footer.set_hints(
            [
                KeyHint("enter", "choose", "screen.choose"),
                KeyHint("/", "search", "screen.search"),
                KeyHint("*", "favourite", "screen.favourite"),
                KeyHint("f", "facet", "screen.facet"),
                KeyHint("n", "create", "screen.create"),
                KeyHint("esc", "back", "screen.leave"),
                self.HELP_HINT,
            ]
        )
        for notice in self._favourite_store.notices:
            self.notify(sanitize(notice), severity="warning", markup=False)
        self._services.characters.load_stored()
        self.set_characters(self._services.characters.allowed)
        self._load_characters()

    def _reserve_toast_rows(self, rows: int) -> None:
        """Let the list end above the notifications."""
        self.query_one("#browser").styles.margin = (0, 0, rows, 0)

    @work(exit_on_error=False)
    async def _load_characters(self) -> None:
        catalog = self._services.characters
        # The demo's storage has another address each time, so a cached list has dead avatar URLs.
        is_demo = self._services.demo is not None
        if is_demo or not catalog.is_fresh:
            self._update_title(SafeText("loading"))
        try:
            self.set_characters(await catalog.load(force_refresh=is_demo, on_partial=self.set_characters))
            self._update_title(SafeText(""))
        except ApiError as error:
            self._update_title(sanitize(str(error)))

    def set_characters(self, characters: Sequence[Character]) -> None:
        # The catalog already leaves out characters listed as under 18; checked again where they would be shown.
        self._characters = [each for each in characters if each.is_allowed]
        self._search_texts = [
            f"{each.id} {each.name} {each.username} {each.description[:400]}".casefold() for each in self._characters
        ]
        self._refilter(keep_cursor=True)

    # List

    def _recent_ranks(self) -> dict[str, int]:
        newest = self._services.jobs.store.newest_first()[:RECENT_JOB_COUNT]
        used = (*self._favourites.recent, *(job.request.character for job in newest))
        return {character: place for place, character in enumerate(dict.fromkeys(used))}

    def _refilter(self, *, keep_cursor: bool = False) -> None:
        words = self._search_input.value.casefold().split()
        found = [row for row, key in enumerate(self._search_texts) if all(word in key for word in words)]
        ids = [each.id for each in self._characters]
        liked, recent = set(self._favourites.favourites), self._recent_ranks()
        if self._facet == "favourites":
            found = [row for row in found if ids[row] in liked]
        elif self._facet == "recent":
            found = sorted((row for row in found if ids[row] in recent), key=lambda row: recent[ids[row]])
        else:
            # A stable sort: favourites first, else in the order of the API.
            found.sort(key=lambda row: ids[row] not in liked)
        self._list.set_rows(found, keep_cursor=keep_cursor)
        self._match_count = len(found)
        self._update_title(self._status_text)
        self._show_details()

    def _update_title(self, status: SafeText) -> None:
        self._status_text = status
        facts = format_safe("Characters · {facet} · {n}", facet=self._facet, n=f"{self._match_count:,}")
        self.query_one("#browser").border_title = Content(join_safe(" · ", facts, *([status] if status else ())))

    def _row_cells(self, row: int) -> Sequence[str]:
        each = self._characters[row]
        star = "★" if each.id in self._favourites.favourites else ""
        return star, each.name, "" if each.age is None else str(each.age), each.description

    def _current_character(self) -> Character | None:
        row = self._list.current_row
        return self._characters[row] if row is not None else None

    # Details

    def _show_details(self) -> None:
        each = self._current_character()
        if each is None:
            self._shown = None
            self._avatar.set_file(None)
            self._bio.update(Content.styled(self._empty_message(), "$text-muted"))
            return
        age = format_safe("{n} years", n=each.age) if each.age is not None else SafeText("")
        facts = [part for part in (age, sanitize(each.gender, limit=40), sanitize(each.category, limit=40)) if part]
        title = format_safe("{name}  {id}", name=sanitize(each.name, limit=80), id=each.id)
        story = sanitize_block(each.description, limit=4_000)
        self._bio.update(
            Content.styled(title, "$foreground bold")
            + Content.styled(f"\n{join_safe(' · ', *facts)}\n\n", "$text-muted")
            + Content.styled(story or "No description.", "$foreground")
        )
        if each != self._shown:
            self._shown = each
            self._load_avatar(each)

    def _empty_message(self) -> SafeText:
        if self._characters:
            return SafeText("No matches. f: show all · /: edit search")
        return self._status_text or SafeText("No characters.")

    @work(group="avatar", exclusive=True, exit_on_error=False)
    async def _load_avatar(self, character: Character) -> None:
        if not any(self._terminal.graphics.cell_size):
            return
        await asyncio.sleep(AVATAR_DELAY_SECONDS)
        path = await self._services.avatars.get(character.avatar_url)
        if self._shown == character:
            self._avatar.set_file(path, SafeText("" if path else "No image."))

    @on(MediaView.Failed)
    def _avatar_failed(self) -> None:
        self._avatar.set_file(None, SafeText("No image."))

    # Actions

    @on(Input.Changed)
    def _input_changed(self) -> None:
        self._refilter()

    @on(Input.Submitted)
    def _input_submitted(self) -> None:
        self.action_choose()

    @on(VirtualList.RowClicked)
    def _row_clicked(self) -> None:
        self._show_details()

    def action_move(self, by: int) -> None:
        self._list.move_cursor(by)
        self._show_details()

    def action_page(self, screens: float) -> None:
        self._list.move_page(screens)
        self._show_details()

    def action_search(self) -> None:
        self._search_input.focus()

    def action_choose(self) -> None:
        each = self._current_character()
        if each is not None and not self._is_creating:
            self._dismiss_with(each.id)

    def action_favourite(self) -> None:
        each = self._current_character()
        if each is not None:
            self._save_favourites(self._favourites.toggle(each.id))
            if self._facet == "favourites":
                self._refilter(keep_cursor=True)
            else:
                # Rows are sorted at the next search, not under the cursor.
                self._list.refresh()

    def action_facet(self) -> None:
        self._facet = FACETS[(FACETS.index(self._facet) + 1) % len(FACETS)]
        self._refilter()

    def action_leave(self) -> None:
        if self._is_creating:
            return
        if self.focused is not None:
            self.set_focus(None)
        elif self._search_input.value:
            self._search_input.value = ""
        else:
            self.dismiss(None)

    def action_create(self) -> None:
        # A key may arrive after that screen is closed and before its result: it must not choose or leave.
        self._is_creating = True
        self.app.push_screen(CreateCharacter(self._services), self._creation_closed)

    def _creation_closed(self, character_id: str | None) -> None:
        self._is_creating = False
        if character_id:
            self._dismiss_with(character_id)

    def _dismiss_with(self, character_id: str) -> None:
        self._save_favourites(self._favourites.mark_used(character_id))
        self.dismiss(character_id)

    def _save_favourites(self, favourites: Favourites) -> None:
        self._favourites = favourites
        try:
            self._favourite_store.save(favourites)
        except OSError as error:
            text = format_safe("Could not save the favourites: {why}.", why=error.strerror or error)
            self.notify(text, severity="warning", markup=False)


INTRODUCTION = SafeText(
    "Experimental, undocumented by the API. Generates a new character (appearance, name, backstory) from your prompt. "
    "Costs credits. Adults only."
)


class CreateCharacter(Dialog[str]):
    """Leaves with the new character's ID, or None. Sends at most once."""

    KEYS_HINT = SafeText("enter: create (asks first) · esc: cancel")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("create")]

    def __init__(self, services: Services) -> None:
        super().__init__(SafeText("Create a character"))
        self._services = services
        self._is_sent = self._is_waiting = False
        self.prompt_input = SearchInput(placeholder="a harbour pilot in her forties, calm, weathered", compact=True)

    def body(self) -> Iterable[Widget]:
        yield Static(Content(INTRODUCTION), classes="label", markup=False)
        yield Static("", markup=False)
        yield self.prompt_input

    def on_mount(self) -> None:
        self.prompt_input.focus()

    @on(Input.Submitted)
    def _input_submitted(self, event: Input.Submitted) -> None:
        prompt = event.value.strip()
        if not prompt:
            self.set_footer_text(SafeText("Prompt is required."), is_error=True)
        elif not self._is_sent:
            self._create(prompt)

    @work
    async def _create(self, prompt: str) -> None:
        price = self._services.jobs.billing.estimate(character_request(prompt))
        cost = format_cost(price) if price is not None else "credits (price unknown)"
        question = format_safe("Create a character from “{prompt}”? It costs {cost}.", prompt=prompt, cost=cost)
        if price is None and self._services.settings.daily_cap is not None:
            question = join_safe(" ", question, SafeText("It may exceed your daily_cap."))
        asked = ConfirmDialog(question, title=SafeText("This costs credits"), yes=SafeText("create"))
        if self._is_sent or not await self.app.push_screen_wait(asked) or self._is_sent:
            return
        self._is_sent = self._is_waiting = True
        self.prompt_input.disabled = True
        self.set_footer_text(SafeText("Sent. Waiting for the response."))
        try:
            job = await self._services.jobs.create_character(prompt, confirmed=True)
        except (SubmitRejected, InvalidRequest, HistoryError) as error:
            self._show_failure(sanitize(str(error)))
            return
        if job.state is not JobState.SUCCEEDED:
            self._show_failure(sanitize(job.error, limit=600), is_unconfirmed=job.state is JobState.UNCONFIRMED)
            return
        self.dismiss(job.request.character or None)

    def action_leave(self) -> None:
        if not self._is_waiting:
            self.dismiss(None)

    def _show_failure(self, reason: SafeText, *, is_unconfirmed: bool = False) -> None:
        self._is_waiting = False
        note = SafeText("It is in the list of jobs as unconfirmed and is not retried automatically.")
        self.set_footer_text(join_safe(" ", reason, note) if is_unconfirmed else reason, is_error=True)
