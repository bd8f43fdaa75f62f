"""The requests of a form: every combination as often as asked, or none."""

from __future__ import annotations

import pytest

from eternal_tui.characters.resolver import ResolvedCharacter
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.expansion import MAX_REQUESTS
from eternal_tui.tui.request_form.form import make_plan


def test_every_combination_is_there_as_often_as_asked() -> None:
    draft = Draft(prompt="a {red|blue} coat", both_types=True, extra_durations=(2,), count=3)
    plan = make_plan(draft, [ResolvedCharacter(id="1"), ResolvedCharacter(id="2")], {})
    assert plan.request_count == len(plan.requests) == len(plan.templates) == len(plan.names) == 2 * 2 * 3 * 3
    assert all(plan.requests.count(each) == 3 for each in plan.requests)
    assert plan.requests[:3] == (plan.requests[0],) * 3
    assert [each.character for each in plan.requests] == ["1"] * 18 + ["2"] * 18
    assert {each.prompt for each in plan.requests} == {"a red coat", "a blue coat"}


@pytest.mark.parametrize(("prompts", "count"), [(MAX_REQUESTS + 1, 1), (10, 11)])
def test_too_many_requests_are_none(prompts: int, count: int) -> None:
    draft = Draft(prompt="\n".join(map(str, range(prompts))), one_per_line=True, count=count)
    plan = make_plan(draft, [ResolvedCharacter(id="1")], {})
    assert (plan.requests, f"{prompts * count} requests" in plan.size_error) == ((), True)
