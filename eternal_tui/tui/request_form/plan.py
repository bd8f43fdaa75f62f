"""SubmitPlan: the requests of a draft, or why it cannot be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eternal_tui.api.models import GenerateRequest, validation_errors
from eternal_tui.characters.resolver import ResolvedCharacter
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.expansion import MAX_REQUESTS, TemplateError, TooManyRequests


class SubmitPlan(NamedTuple):
    """`priced` has one request of each combination of settings; `requests` is empty where they are too many."""

    priced: tuple[GenerateRequest, ...]
    requests: tuple[GenerateRequest, ...]
    names: tuple[UntrustedText, ...]
    templates: tuple[str, ...]
    request_count: int
    prompt_error: str = ""
    size_error: str = ""


def make_plan(draft: Draft, resolved: Sequence[ResolvedCharacter], snippets: Mapping[str, str]) -> SubmitPlan:
    """Return the plan for a draft whose character field means `resolved`."""
    names = {each.id: each.name for each in resolved}
    prompt_error = size_error = ""
    try:
        prompts = draft.prompts(snippets) or [("", "")]
    except TooManyRequests as error:
        prompts, size_error = [(draft.prompt, "")], str(error)
    except TemplateError as error:
        prompts, prompt_error = [(draft.prompt, "")], str(error)
    priced = draft.requests(resolved[0].id, prompts[0][0])
    blank = next((text for text, _ in prompts if not text.strip()), prompts[0][0])
    prompt_error = prompt_error or validation_errors(draft.requests(resolved[0].id, blank)[0]).get("prompt", "")
    count = len(names) * len(prompts) * len(priced) * draft.count
    if count > MAX_REQUESTS:
        size_error = f"{count} requests: one submit sends {MAX_REQUESTS} at most."
    if size_error:
        return SubmitPlan(priced, (), (), (), count, prompt_error, size_error)
    planned = [
        (request, name, template)
        for character, name in names.items()
        for prompt, template in prompts
        for request in draft.requests(character, prompt)
        for _ in range(draft.count)
    ]
    requests, request_names, templates = zip(*planned, strict=True)
    return SubmitPlan(priced, requests, request_names, templates, count, prompt_error)
