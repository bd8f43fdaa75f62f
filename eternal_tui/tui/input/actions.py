"""The table of all actions: ids, keys, titles and scopes. Plain data, without Textual."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

Scope = Literal[
    "anywhere", "jobs", "list", "matches", "tiles",
    "gallery", "filter", "detail", "viewer", "form", "line", "text", "prompt", "choice", "stepper",
    "submit", "search", "picker", "presets", "copy", "help", "browser", "create", "confirm", "save", "note", "key",
    "statistics",
]  # fmt: skip
"""Scope of a key: the whole screen, the panes of jobs, one control, or one small screen."""

PARENT_SCOPES: dict[Scope, tuple[Scope, ...]] = {
    "anywhere": (),
    "list": ("jobs", "anywhere"),
    "matches": (),
    "tiles": (),
    "gallery": ("jobs", "anywhere"),
    "filter": ("jobs", "anywhere"),
    "detail": ("jobs", "anywhere"),
    "jobs": ("anywhere",),
    "line": ("form", "anywhere"),
    "prompt": ("form", "anywhere"),
    "choice": ("form", "anywhere"),
    "stepper": ("form", "anywhere"),
    "submit": ("form", "anywhere"),
    "form": ("anywhere",),
    "picker": ("search",),
    "presets": ("search",),
}
"""The places whose keys also work in a place, nearest first; a small screen has only its own."""


_SCOPE_OF_ID = cast("Scope", "")


class Action(msgspec.Struct, frozen=True):
    """A key command. `textual_action` is Textual's action string.

    `show_in_footer` tells whether the footer names it. One with `priority` comes before what the control with the
    focus makes of the key. The scope is the first part of the ID unless it is given.
    """

    id: str
    keys: str
    textual_action: str
    title: str
    description: str
    show_in_footer: bool = False
    priority: bool = False
    scope: Scope = _SCOPE_OF_ID


_SCOPES_OF_IDS: dict[str, Scope] = {"app": "anywhere", "pane": "jobs"}
"""Scopes of IDs that do not begin with one."""


def _with_scopes(*actions: Action) -> tuple[Action, ...]:
    found = []
    for action in actions:
        first = action.id.partition(".")[0]
        scope = _SCOPES_OF_IDS.get(first, cast("Scope", first)) if action.scope == _SCOPE_OF_ID else action.scope
        found.append(msgspec.structs.replace(action, scope=scope))
    return tuple(found)


CONTROL_ACTIONS = _with_scopes(
    Action("list.down", "j,down", "move(1)", "Down", "Go to the next job"),
    Action("list.up", "k,up", "move(-1)", "Up", "Go to the previous job"),
    Action("list.top", "g,home,alt+less_than_sign", "top", "Top", "Go to the first job"),
    Action("list.bottom", "G,end,alt+greater_than_sign", "bottom", "Bottom", "Go to the last job"),
    Action("list.page_down", "pagedown,ctrl+v", "page(1)", "Page down", "Go a screen down"),
    Action("list.page_up", "pageup,alt+v", "page(-1)", "Page up", "Go a screen up"),
    Action("list.half_down", "ctrl+d", "page(0.5)", "Half down", "Go half a screen down"),
    Action("list.half_up", "ctrl+u", "page(-0.5)", "Half up", "Go half a screen up"),
    Action("list.open", "enter", "open", "Open", "Open the result, or the batch as thumbnails", True),
    Action("list.mark", "space", "mark", "Mark", "Mark the job and go to the next"),
    Action("list.mark_range", "V,shift+space", "mark_range", "Mark range", "Mark from the last mark to this job"),
    Action("list.mark_all", "ctrl+a", "mark_all", "Mark all", "Mark every job listed"),
    Action("list.unfold", "right,l", "fold(False)", "Unfold", "Show the jobs of this batch line by line"),
    Action("list.fold", "left,h", "fold(True)", "Fold", "Show this batch as one line"),
    Action("list.filter", "slash", "filter", "Filter", "Filter the list as you type", True),
    Action("list.facet", "f", "facet", "Facet", "All, unfinished, done, needs attention"),
    Action("list.sort", "S", "sort", "Sort", "Sort the list another way"),
    Action("list.find", "F", "find", "Find", "Search without filtering; n and N go through the matches"),
    Action("list.next_match", "n", "match(1)", "Next match", "Next match of the search", scope="matches"),
    Action("list.previous_match", "N", "match(-1)", "Previous match", "Previous match of the search", scope="matches"),
    Action("list.problem", "exclamation_mark", "problem", "Next problem", "Go to the next failed or unconfirmed job"),
    Action("list.clear", "escape", "clear", "Clear", "Clear the marks, then search and filter"),
    Action("gallery.left", "h,left", "go(-1, 0)", "Left", "Go to the job before"),
    Action("gallery.right", "l,right", "go(1, 0)", "Right", "Go to the next job"),
    Action("gallery.up", "k,up", "go(0, -1)", "Up", "Go to the row above"),
    Action("gallery.down", "j,down", "go(0, 1)", "Down", "Go to the row below"),
    Action("gallery.top", "g,home,alt+less_than_sign", "ask('top')", "Top", "Go to the first job"),
    Action("gallery.bottom", "G,end,alt+greater_than_sign", "ask('bottom')", "Bottom", "Go to the last job"),
    Action("gallery.page_down", "pagedown,ctrl+v", "page(1)", "Page down", "Go a screen down"),
    Action("gallery.page_up", "pageup,alt+v", "page(-1)", "Page up", "Go a screen up"),
    Action("gallery.half_down", "ctrl+d", "page(0.5)", "Half down", "Go half a screen down"),
    Action("gallery.half_up", "ctrl+u", "page(-0.5)", "Half up", "Go half a screen up"),
    Action("gallery.open", "enter", "ask('open')", "Open", "Open the job's result", True),
    Action("gallery.mark", "space", "ask('mark')", "Mark", "Mark the job and go to the next"),
    Action("gallery.mark_range", "V,shift+space", "ask('mark_range')", "Mark range", "Mark from the last mark"),
    Action("gallery.mark_all", "ctrl+a", "ask('mark_all')", "Mark all", "Mark every job listed"),
    Action("gallery.reject", "x", "screen.cull('reject')", "Reject", "Toggle rejected and go on", scope="tiles"),
    Action("gallery.filter", "slash", "ask('filter')", "Filter", "Filter as you type", True),
    Action("gallery.facet", "f", "ask('facet')", "Facet", "All, unfinished, done, needs attention"),
    Action("gallery.sort", "S", "ask('sort')", "Sort", "Sort another way"),
    Action("gallery.find", "F", "ask('find')", "Find", "Search without filtering; n and N: matches"),
    Action("gallery.problem", "exclamation_mark", "ask('problem')", "Next problem", "Next failed or unconfirmed job"),
    Action("gallery.clear", "escape", "ask('clear')", "Clear", "Clear the marks, then the filter"),
    Action("filter.done", "enter,down", "done", "To the list", "Keep the filter and go to the list", True),
    Action("filter.clear", "escape", "clear", "Clear", "Clear the filter and go to the list", True),
    Action("detail.down", "j", "scroll_down", "Down", "Scroll the detail down"),
    Action("detail.up", "k", "scroll_up", "Up", "Scroll the detail up"),
    Action("detail.top", "g,alt+less_than_sign", "scroll_home", "Top", "Go to the beginning of the detail"),
    Action("detail.bottom", "G,alt+greater_than_sign", "scroll_end", "Bottom", "Go to the end of the detail"),
    Action("detail.page_down", "ctrl+v", "page_down", "Page down", "Go a screen down"),
    Action("detail.page_up", "alt+v", "page_up", "Page up", "Go a screen up"),
    Action("detail.half_down", "ctrl+d", "scroll_half(1)", "Half down", "Go half a screen down"),
    Action("detail.half_up", "ctrl+u", "scroll_half(-1)", "Half up", "Go half a screen up"),
    Action("viewer.back", "escape,enter", "app.pop_screen", "Back", "Go back to the list", True),
    Action("viewer.play", "p", "play", "Play or pause", "Play or pause", True),
    Action("viewer.back_scrub", "left_square_bracket", "scrub(-1)", "Scrub back", "Seek -5%", True),
    Action("viewer.scrub", "right_square_bracket", "scrub(1)", "Scrub on", "Seek +5%", True),
    Action("viewer.step_back", "comma", "step(-1)", "One frame back", "Go one frame back", True),
    Action("viewer.step", "full_stop", "step(1)", "One frame on", "Go one frame on", True),
    Action("viewer.before", "left,h", "go(-1, 0)", "The job before", "Show the job before, or pan left", True),
    Action("viewer.next", "right,l", "go(1, 0)", "The next job", "Show the next job, or pan right", True),
    Action("viewer.up", "up,k", "go(0, -1)", "Up", "Pan up, or show the job before"),
    Action("viewer.down", "down,j", "go(0, 1)", "Down", "Pan down, or show the next job"),
    Action("viewer.closer", "plus,equals_sign", "zoom(1)", "Closer", "Zoom in", True),
    Action("viewer.further", "minus", "zoom(-1)", "Further", "Zoom out", True),
    Action("viewer.whole", "0", "zoom(0)", "Whole", "Fit", True),
    Action("viewer.outside", "o", "outside", "Open outside", "Open the file in the system's viewer", True),
    Action("viewer.save", "s", "save", "Save as", "Save a copy of the file elsewhere", True),
    Action("viewer.copy", "y", "copy", "Copy", "Copy path, link, prompt, id, curl or JSON", True),
    Action("viewer.star", "asterisk", "star", "Star", "Toggle star, and show the next job", True),
    Action("viewer.reject", "x", "reject", "Reject", "Toggle rejected, and show the next job", True),
    Action("viewer.mark", "tab", "mark(1)", "Next of several", "Side by side: keys act on the next alone", True),
    Action("viewer.wipe", "w", "wipe", "Wipe", "Show two results in one place, split by a line", True),
    Action("viewer.help", "f1,question_mark", "screen.help", "Help", "Show these keys"),
    Action("form.editor", "ctrl+e", "editor", "Editor", "Edit in $EDITOR, one prompt per line", True, priority=True),
    Action("form.history", "ctrl+r", "history", "Prompts", "Search earlier prompts", True, priority=True),
    Action("form.presets", "ctrl+t", "presets", "Presets", "Apply or save a preset or snippet", True, priority=True),
    Action("form.clear", "ctrl+l", "clear", "Clear", "Clear the form", priority=True),
    Action("form.restore", "ctrl+g", "restore", "Restore", "Bring back the previous draft", priority=True),
    Action("line.pick", "down", "pick", "Choose a character", "Open the list of characters"),
    Action("line.done", "enter", "done", "Done", "Next field, or the list if the name is unclear"),
    Action("line.above", "up", "app.focus_previous", "Field above", "Go to the field above"),
    Action("choice.previous", "left,h", "move(-1)", "Previous", "Choose the value before"),
    Action("choice.next", "right,l", "move(1)", "Next", "Choose the next value"),
    Action("choice.change", "plus", "move(1, True)", "Change", "Choose the next value, after the last the first"),
    Action("choice.also", "space", "also", "Mark", "Mark the value: ← → choose another too"),
    Action("choice.first", "home", "move(-99)", "First", "Choose the first value"),
    Action("choice.last", "end", "move(99)", "Last", "Choose the last value"),
    Action("choice.above", "up,k", "app.focus_previous", "Field above", "Go to the field above"),
    Action("choice.below", "down,j,enter", "app.focus_next", "Field below", "Go to the field below"),
    Action("stepper.fewer", "left,h,minus", "step(-1)", "Fewer", "One less"),
    Action("stepper.more", "right,l,plus", "step(1)", "More", "One more"),
    Action("stepper.fewest", "home,backspace", "step(-99)", "Fewest", "The least there may be"),
    Action("stepper.most", "end", "step(99)", "Most", "The most there may be"),
    Action("stepper.above", "up,k", "app.focus_previous", "Field above", "Go to the field above"),
    Action("stepper.below", "down,j,enter", "app.focus_next", "Field below", "Go to the field below"),
    Action("prompt.left", "ctrl+b", "cursor_left", "Left", "Go one letter left"),
    Action("prompt.right", "ctrl+f", "cursor_right", "Right", "Go one letter right"),
    Action("prompt.word_left", "alt+b", "cursor_word_left", "Word left", "Go one word left"),
    Action("prompt.word_right", "alt+f", "cursor_word_right", "Word right", "Go one word right"),
    Action("prompt.delete_word", "alt+d", "delete_word_right", "Delete word", "Delete up to the next word"),
    Action("text.left", "ctrl+b", "cursor_left", "Left", "Go one letter left"),
    Action("text.right", "ctrl+f", "cursor_right", "Right", "Go one letter right"),
    Action("text.word_left", "alt+b", "cursor_left_word", "Word left", "Go one word left"),
    Action("text.word_right", "alt+f", "cursor_right_word", "Word right", "Go one word right"),
    Action("text.delete_word", "alt+d", "delete_right_word", "Delete word", "Delete up to the next word"),
    Action("submit.press", "enter", "press", "Submit", "Send the request"),
    Action("submit.above", "up,k", "app.focus_previous", "Field above", "Go to the field above"),
    Action("submit.below", "down,j", "app.focus_next", "Field below", "Go to the field below"),
    Action("search.back", "escape", "leave", "Back", "Leave with nothing chosen"),
    Action("search.up", "up,ctrl+p", "move(-1)", "Up", "Go to the row above", priority=True),
    Action("search.down", "down,ctrl+n", "move(1)", "Down", "Go to the row below", priority=True),
    Action("search.page_up", "pageup,alt+v", "move(-10)", "Page up", "Go ten rows up", priority=True),
    Action("search.page_down", "pagedown,ctrl+v", "move(10)", "Page down", "Go ten rows down", priority=True),
    Action("search.first", "ctrl+home", "move(-1000000)", "First", "Go to the first row", priority=True),
    Action("search.last", "ctrl+end", "move(1000000)", "Last", "Go to the last row", priority=True),
    Action("search.choose", "enter", "choose", "Choose", "Take the row under the cursor", priority=True),
    Action("picker.list", "tab", "enter_list", "To the list", "Go from the search to the list", priority=True),
    Action("picker.mark", "space", "mark", "Mark", "Mark this character and go to the next", priority=True),
    Action("presets.save", "ctrl+s", "save", "Save", "Save the form under the name typed", priority=True),
    Action("presets.delete", "delete", "delete", "Delete", "Delete the preset", priority=True),
    Action("presets.default", "ctrl+y", "default", "Default", "Start empty forms from this preset", priority=True),
    Action("browser.down", "j,down", "move(1)", "Down", "Go to the next character"),
    Action("browser.up", "k,up", "move(-1)", "Up", "Go to the character before"),
    Action("browser.page_down", "pagedown,ctrl+v", "page(1)", "Page down", "Go a screen down"),
    Action("browser.page_up", "pageup,alt+v", "page(-1)", "Page up", "Go a screen up"),
    Action("browser.half_down", "ctrl+d", "page(0.5)", "Half down", "Go half a screen down"),
    Action("browser.half_up", "ctrl+u", "page(-0.5)", "Half up", "Go half a screen up"),
    Action("browser.top", "g,home", "move(-1000000)", "Top", "Go to the first character"),
    Action("browser.bottom", "G,end", "move(1000000)", "Bottom", "Go to the last character"),
    Action("browser.choose", "enter", "choose", "Choose", "Put the character into the form", True),
    Action("browser.search", "slash", "search", "Search", "Search as you type", True),
    Action("browser.favourite", "asterisk", "favourite", "Favourite", "Toggle favourite", True),
    Action("browser.facet", "f", "facet", "Facet", "All / favourites / recent", True),
    Action("browser.create", "n", "create", "New", "New character from a prompt", True),
    Action("browser.leave", "escape", "leave", "Back", "Go back", True),
    Action("browser.help", "f1,question_mark", "screen.help", "Help", "Show these keys"),
    Action("create.back", "escape", "leave", "Back", "Create nothing"),
    Action("confirm.yes", "y", "answer(True)", "Yes", "Do it", True),
    Action("confirm.other", "d", "other", "Dismiss", "Dismiss, where the question offers it"),
    Action("confirm.no", "n,escape,enter", "answer(False)", "No", "Leave it", True),
    Action("copy.path", "p", "copy('path')", "path of the file", "Copy this"),
    Action("copy.link", "l", "copy('link')", "link to the result", "Copy this"),
    Action("copy.prompt", "t", "copy('prompt')", "prompt", "Copy this"),
    Action("copy.request_id", "i", "copy('request_id')", "request id", "Copy this"),
    Action("copy.curl", "c", "copy('curl')", "curl command", "Copy this"),
    Action("copy.python", "h", "copy('python')", "Python, httpx", "Copy this"),
    Action("copy.json", "b", "copy('json')", "JSON body", "Copy this"),
    Action("copy.down", "j,down", "move(1)", "Down", "Go to the next line"),
    Action("copy.up", "k,up", "move(-1)", "Up", "Go to the line before"),
    Action("copy.choose", "enter", "choose", "Copy", "Copy the line under the cursor"),
    Action("copy.back", "escape", "leave", "Back", "Copy nothing"),
    Action("help.back", "escape,f1", "leave", "Back", "Go back"),
    Action("help.down", "down", "scroll(1)", "Down", "Scroll down", priority=True),
    Action("help.up", "up", "scroll(-1)", "Up", "Scroll up", priority=True),
    Action("help.page_down", "pagedown,ctrl+v", "scroll(10)", "Page down", "Go a screen down", priority=True),
    Action("help.page_up", "pageup,alt+v", "scroll(-10)", "Page up", "Go a screen up", priority=True),
    Action("save.back", "escape", "leave", "Back", "Save nothing"),
    Action("note.back", "escape", "leave", "Back", "Leave note and tags as they were"),
    Action("key.file", "f3", "keep_in_file", "Keep in a file", "Save the key to a private file", priority=True),
    Action("key.demo", "f4", "demo", "Demo", "Say how to try the demo", priority=True),
    Action("key.look", "escape", "leave", "Look around", "Go on without a key"),
    Action("statistics.back", "escape", "leave", "Back", "Go back to the list"),
    Action("statistics.help", "f1,question_mark", "screen.help", "Help", "Show these keys"),
    Action("statistics.choose", "enter", "choose", "List jobs", "List the jobs behind these figures"),
    Action("statistics.down", "j,down", "move(1)", "Down", "Go to the next line"),
    Action("statistics.up", "k,up", "move(-1)", "Up", "Go to the line before"),
    Action("statistics.page_down", "pagedown,ctrl+v", "page(1)", "Page down", "Go a screen down"),
    Action("statistics.page_up", "pageup,alt+v", "page(-1)", "Page up", "Go a screen up"),
    Action("statistics.half_down", "ctrl+d", "page(0.5)", "Half down", "Go half a screen down"),
    Action("statistics.half_up", "ctrl+u", "page(-0.5)", "Half up", "Go half a screen up"),
)
"""Movement has the keys of vim (j k g G, ctrl+d ctrl+u) and of emacs (ctrl+v alt+v, alt+< alt+>). ctrl+n and ctrl+p

have other meanings in the list (new request, palette) and move in lists with a search line, as in a shell.
"""


MAIN_SCREEN_ACTIONS = _with_scopes(
    Action("app.new", "ctrl+n", "screen.new_request", "New", "Start a new request with an empty prompt", True),
    Action("app.submit", "ctrl+s", "screen.submit", "Send", "Send the request in the form", True),
    Action("app.palette", "ctrl+p", "app.command_palette", "Palette", "Find any action, job or character"),
    Action("app.help", "f1", "screen.help", "Help", "Show the keys of what has focus"),
    Action("app.jump", "ctrl+o", "screen.jump", "Jump", "Jump to any control by a letter"),
    Action("app.characters", "f2", "screen.characters", "Characters", "Browse the characters"),
    Action("app.suspend", "ctrl+z", "app.suspend_process", "Suspend", "Back to the shell; fg returns"),
    Action("app.quit", "ctrl+q", "screen.leave", "Quit", "Quit (running jobs continue)"),
    # ctrl+b is tmux's own key and the other half of ctrl+f; so the characters have none with ctrl.
    Action("jobs.new", "n", "screen.new_request", "New", "Start a new request with an empty prompt"),
    Action("jobs.palette", "colon", "app.command_palette", "Palette", "Find any action, job or character"),
    Action("jobs.characters", "C", "screen.characters", "Characters", "Browse the characters"),
    Action("jobs.help", "question_mark", "screen.help", "Help", "Show the keys of what has focus", True),
    Action("pane.form", "1", "screen.pane(1)", "Request", "Go to the request form"),
    Action("pane.jobs", "2", "screen.pane(2)", "Jobs", "Go to the list of jobs"),
    Action("pane.detail", "3", "screen.pane(3)", "Detail", "Go to the detail of the job"),
    Action("pane.zoom", "z", "screen.zoom", "Zoom", "Toggle full-screen pane"),
    Action("pane.grow", "greater_than_sign", "screen.split(1)", "More list", "Give the list more of the room"),
    Action("pane.shrink", "less_than_sign", "screen.split(-1)", "Less list", "Give the detail more of the room"),
    Action("app.statistics", "I", "screen.statistics", "Statistics", "Spending, durations, success", scope="jobs"),
    Action("jobs.again", "r", "screen.job('again')", "Again", "Run the job again with the same request", True),
    Action("jobs.edit", "e", "screen.job('edit')", "Edit", "Put the job's request into the form", True),
    Action("jobs.retry", "t", "screen.job('retry')", "Retry", "Retry download or request, or resolve unconfirmed"),
    Action("jobs.watch", "w", "screen.job('watch')", "Watch", "Poll now, or stop polling"),
    Action("jobs.copy", "y", "screen.job('copy')", "Copy", "Copy path, link, prompt, id, curl or JSON", True),
    Action("jobs.outside", "o", "screen.job('outside')", "Outside", "Open the file in the system's viewer", True),
    Action("jobs.save", "s", "screen.job('save')", "Save as", "Save a copy of the file elsewhere"),
    Action("jobs.compare", "c", "screen.job('compare')", "Compare", "Show 2 to 4 marked results side by side"),
    Action("jobs.gallery", "v", "screen.gallery", "Gallery", "Show the jobs as thumbnails, or as lines"),
    Action("jobs.play", "p", "screen.play", "Play", "Play or pause the video here"),
    Action("jobs.scrub_back", "left_square_bracket", "screen.scrub(-1)", "Scrub back", "Seek -5%"),
    Action("jobs.scrub", "right_square_bracket", "screen.scrub(1)", "Scrub on", "Seek +5%"),
    Action("jobs.json", "J", "screen.json", "JSON", "Show or hide the JSON sent and received"),
    Action("jobs.queue", "H", "screen.hold_queue", "Queue", "Hold the queue, or send what is queued"),
    Action("jobs.sooner", "K", "screen.move_queued(-1)", "Sooner", "Send queued jobs sooner (J: later)"),
    Action("jobs.run_next", "P", "screen.run_next", "Run next", "Send queued jobs before all others"),
    Action("jobs.star", "asterisk", "screen.job('star')", "Star", "Toggle star (gallery: then next)"),
    Action("jobs.note", "N", "screen.job('note')", "Note", "Write a note or tags for the job"),
    Action("jobs.delete", "d", "screen.job('delete')", "Delete", "Delete from the history (u: undo)"),
    Action("jobs.undo", "u", "screen.undo", "Undo", "Restore the last deleted jobs"),
    Action("jobs.retry_failed", "T", "screen.retry_failed", "Retry failed", "Run all failed jobs listed again"),
    Action("jobs.quit", "q", "screen.leave", "Quit", "Quit (running jobs continue)", True),
)


ALL_ACTIONS: tuple[Action, ...] = (*MAIN_SCREEN_ACTIONS, *CONTROL_ACTIONS)
"""All of them; `MAIN_SCREEN_ACTIONS` are those of the workbench itself, which the palette offers."""

ACTIONS_BY_ID = {action.id: action for action in ALL_ACTIONS}


SHARED_KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("list.open",), "Open, choose, or go to the next field"),
    (("list.clear",), "One step back; never quits"),
    (("list.mark",), "Mark: jobs, characters, values of a field"),
    (("list.down", "list.up", "list.top", "list.bottom"), "Down, up, first, last"),
    (("list.half_down", "list.half_up"), "Half a screen down, up"),
    (("list.filter", "list.facet"), "Filter or search, and its facets"),
    (("jobs.new",), "New: request, or character"),
    (("jobs.delete",), "Delete, or dismiss"),
    (("jobs.star", "gallery.reject"), "Star or favourite, reject"),
    (("jobs.play", "jobs.scrub_back", "jobs.scrub"), "Play, seek back, seek on"),
    (("jobs.save", "jobs.copy", "jobs.outside"), "Save as, copy, open outside"),
    (("jobs.help",), "Help for the focus"),
    (("jobs.quit",), "Quit; running jobs continue"),
)
"""Actions whose keys mean the same wherever they work, and that meaning: the table of the help."""
