"""The characters: everyone the service lists, with face and story, to be found, liked, and put into the form."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import Character
from eternal_tui.characters.favourites import FavouriteStore
from eternal_tui.core.sanitize import Shown, join, say, shown, shown_block
from eternal_tui.services import Workbench
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.picture.picture import Picture
from eternal_tui.tui.screens.help import KeyHelp
from eternal_tui.tui.terminal.toast_room import on_toast_rows
from eternal_tui.tui.widgets.footer import FooterLine, Hint
from eternal_tui.tui.widgets.option_table import Column, PickList
from eternal_tui.tui.widgets.search_dialog import SearchLine

FACETS = ("all", "favourites", "used lately")

SETTLE = 0.12
"""Seconds a row must stand before its avatar is asked for: a key held down asks for none."""

JOBS_LOOKED_AT = 500
"""Newest jobs in which characters used lately are looked for."""


class CharacterBrowser(KeyHelp, Screen[str | None]):
    """Leaves with the id of the chosen character, or of one that was just created."""

    CSS = """
    CharacterBrowser { background: $background; }
    CharacterBrowser #browser { height: 1fr; border: round $border; border-title-color: $foreground; padding: 0 1; }
    CharacterBrowser #found { width: 3fr; }
    CharacterBrowser #about { width: 2fr; padding: 0 0 0 2; }
    CharacterBrowser #about Picture { height: 2fr; }
    CharacterBrowser #about VerticalScroll { height: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; }
    CharacterBrowser.-words #about Picture { display: none; }
    CharacterBrowser #bio { height: auto; }
    CharacterBrowser Input, CharacterBrowser Input:focus {
        border: none; height: 1; padding: 0; background: transparent; margin-bottom: 1;
    }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("browser")]

    def __init__(self, bench: Workbench, around: Surroundings) -> None:
        super().__init__()
        self._bench = bench
        self._around = around
        self._store = FavouriteStore(bench.folder)
        self._chosen = self._store.load()
        self._characters: Sequence[Character] = ()
        self._searched: list[str] = []
        self._facet = self._count = 0
        self._about: tuple[str, str] | None = None
        self._line = SearchLine(placeholder="/ searches name, ID and story", compact=True, select_on_focus=False)
        columns = (Column(1), Column(18), Column(3, dim=True, right=True), Column(0, dim=True))
        self._list = PickList(columns, self._cells, id="characters")
        self._picture = Picture(around.graphics, cache=around.frames)
        self._bio = Static(markup=False, id="bio")
        self._footer = FooterLine()
        self._telling = Shown("")

    def compose(self) -> ComposeResult:
        """Lay the list beside the face and the story."""
        with Horizontal(id="browser"):
            with Vertical(id="found"):
                yield self._line
                yield self._list
            with Vertical(id="about"):
                yield self._picture
                yield VerticalScroll(self._bio, can_focus=False)
        yield self._footer

    def on_mount(self) -> None:
        """Show the stored list at once, and ask for a fresh one where it is old."""
        on_toast_rows(self, self._make_room)
        self.set_class(not any(self._around.graphics.cell), "-words")
        self._footer.show(
            [
                Hint("enter", "choose", "screen.choose"),
                Hint("/", "search", "screen.search"),
                Hint("*", "favourite", "screen.favourite"),
                Hint("f", "facet", "screen.facet"),
                Hint("n", "create", "screen.create"),
                Hint("esc", "back", "screen.leave"),
                self.HELP_HINT,
            ]
        )
        for notice in self._store.notices:
            self.notify(shown(notice), severity="warning", markup=False)
        if self._bench.book.fetched_at is None:
            self._bench.book.open_stored()
        self._take(self._bench.book.known)
        self._load()

    def _make_room(self, rows: int) -> None:
        """Let the list end above what is said, where that covers more than its edge and the keys below it."""
        self.query_one("#browser").styles.margin = (0, 0, max(0, rows - 2), 0)

    @work(exit_on_error=False)
    async def _load(self) -> None:
        book = self._bench.book
        # The demo's storage is at another address each time, so a kept list leads to no avatars.
        again = self._bench.demo is not None
        if again or not book.fresh:
            self._tell(Shown("reading the list"))
        try:
            self._take(await book.load(again=again, growing=self._take))
            self._tell(Shown(""))
        except ApiError as error:
            self._tell(shown(str(error)))

    def _take(self, characters: Sequence[Character]) -> None:
        # Those listed as under 18 are not in the book's list; asked once more where they would be shown.
        self._characters = [each for each in characters if each.offered]
        self._searched = [
            f"{each.id} {each.name} {each.username} {each.description[:400]}".casefold() for each in self._characters
        ]
        self._renew(keep_cursor=True)

    def _tell(self, words: Shown) -> None:
        self._telling = words
        self._retitle()

    # The list

    def _recent(self) -> dict[str, int]:
        newest = self._bench.desk.listing()[:JOBS_LOOKED_AT]
        used = (*self._chosen.recent, *(job.request.character for job in newest))
        return {character: place for place, character in enumerate(dict.fromkeys(used))}

    def _renew(self, *, keep_cursor: bool = False) -> None:
        words = self._line.value.casefold().split()
        found = [row for row, key in enumerate(self._searched) if all(word in key for word in words)]
        ids = [each.id for each in self._characters]
        liked, recent = set(self._chosen.favourites), self._recent()
        if self._facet == 1:
            found = [row for row in found if ids[row] in liked]
        elif self._facet == 2:
            found = sorted((row for row in found if ids[row] in recent), key=lambda row: recent[ids[row]])
        else:
            # Sorted by what is true of them and else left in the service's order.
            found.sort(key=lambda row: ids[row] not in liked)
        self._list.show(found, keep_cursor=keep_cursor)
        self._count = len(found)
        self._retitle()
        self._describe()

    def _retitle(self) -> None:
        parts = [Shown("Characters"), shown(FACETS[self._facet]), say("{n}", n=f"{self._count:,}")]
        if self._telling:
            parts.append(self._telling)
        self.query_one("#browser").border_title = Content(join(" · ", *parts))

    def _cells(self, row: int) -> Sequence[str]:
        each = self._characters[row]
        star = self._around.glyphs.star if each.id in self._chosen.favourites else ""
        return star, each.name, "" if each.age is None else str(each.age), each.description

    def _here(self) -> Character | None:
        row = self._list.row
        return self._characters[row] if row is not None else None

    # Face and story

    def _describe(self) -> None:
        each = self._here()
        if each is None:
            self._about = None
            self._picture.show(None)
            self._bio.update(Content.styled(self._nobody(), "$text-muted"))
            return
        age = say("{n} years", n=each.age) if each.age is not None else Shown("")
        facts = [part for part in (age, shown(each.gender, limit=40), shown(each.category, limit=40)) if part]
        title = say("{name}  {id}", name=shown(each.name, limit=80), id=each.id)
        story = shown_block(each.description, limit=4_000)
        self._bio.update(
            Content.styled(title, "$foreground bold")
            + Content.styled(f"\n{join(' · ', *facts)}\n\n", "$text-muted")
            + Content.styled(story or "No story is given.", "$foreground")
        )
        if (each.id, each.avatar_url) != self._about:
            self._about = (each.id, each.avatar_url)
            self._show_face(each)

    def _nobody(self) -> Shown:
        if self._characters:
            return Shown("Nobody fits. f shows all, / changes the search.")
        return self._telling or Shown("The list is empty.")

    @work(group="face", exclusive=True, exit_on_error=False)
    async def _show_face(self, each: Character) -> None:
        if not any(self._around.graphics.cell):
            return
        await asyncio.sleep(SETTLE)
        path = await self._bench.avatars.get(each.avatar_url)
        if self._about == (each.id, each.avatar_url):
            self._picture.show(path, Shown("" if path else "no picture to be had"))

    @on(Picture.Failed)
    def _no_face(self) -> None:
        self._picture.show(None, Shown("no picture to be had"))

    # Actions

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._renew()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_choose()

    @on(PickList.Clicked)
    def _clicked(self, event: PickList.Clicked) -> None:
        event.stop()
        self._describe()

    @on(FooterLine.Clicked)
    async def _footer_clicked(self, event: FooterLine.Clicked) -> None:
        await self.run_action(event.run)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._list.move(by)
        self._describe()

    def action_search(self) -> None:
        """Go to the line one searches in."""
        self._line.focus()

    def action_choose(self) -> None:
        """Leave with the character under the cursor."""
        each = self._here()
        if each is not None:
            self._remember(each.id)
            self.dismiss(each.id)

    def action_favourite(self) -> None:
        """Make the character a favourite, or no longer one."""
        each = self._here()
        if each is not None:
            self._chosen = self._chosen.toggled(each.id)
            self._save()
            if FACETS[self._facet] == "favourites":
                self._renew(keep_cursor=True)
            else:
                # Rows are put in order at the next search, not under the person's fingers.
                self._list.refresh()

    def action_facet(self) -> None:
        """Show the next of all, favourites, used lately."""
        self._facet = (self._facet + 1) % len(FACETS)
        self._renew()

    def action_leave(self) -> None:
        """From the search back to the list, from a search that stands to all, and then away."""
        if self.focused is not None:
            self.set_focus(None)
        elif self._line.value:
            self._line.value = ""
        else:
            self.dismiss(None)

    def action_create(self) -> None:
        """Create a character from a prompt, after a question."""
        from eternal_tui.tui.screens.create_character import CreateCharacter

        self.app.push_screen(CreateCharacter(self._bench), self._created)

    def _created(self, created: str | None) -> None:
        if created:
            self._remember(created)
            self._take_created(created)

    @work
    async def _take_created(self, created: str) -> None:
        # A list that cannot be had now will be read later; the character goes into the form by its id.
        with contextlib.suppress(ApiError):
            await self._bench.book.load(again=True)
        self.dismiss(created)

    def _remember(self, identifier: str) -> None:
        self._chosen = self._chosen.used(identifier)
        self._save()

    def _save(self) -> None:
        try:
            self._store.save(self._chosen)
        except OSError as error:
            words = say("The favourites could not be kept: {why}.", why=error.strerror or error)
            self.notify(words, severity="warning", markup=False)
