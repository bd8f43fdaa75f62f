"""Faults: what goes wrong on purpose.

A fault is armed by ``--fault KIND[@PLACE][:N|:P%]``, by ``Sandbox.inject`` or by a prompt that contains
``fault:KIND`` or ``fault:KIND:N``; without a number it holds for ever, with one it strikes N times. Places:
``post`` (generate), ``poll``, ``cdn`` (files), ``list`` (characters), ``job`` (fixed when a job is made), ``link``
(when a result link is signed). Those in brackets need to be named.

kind                places                what happens
lost-answer         post (poll list)      post: charged and queued, then the connection dies without an answer
drop-before         post poll cdn (list)  the connection dies before the request is read; nothing is charged
429                 post poll cdn (list)  refused with Retry-After (any text, a setting); nothing is charged
500                 post poll cdn (list)  JSON error; nothing is charged
html-502            post poll cdn (list)  a proxy's HTML page; nothing is charged
charged-502         post                  charged and queued, then a proxy's HTML page instead of the answer
garbage-json        post poll (list)      200 with a cut JSON text; a post is charged
slow                post poll cdn (list)  the answer comes ``slow_seconds`` late; a post is charged at once
redirect            post poll cdn (list)  post, poll: sent on to another origin, which records it; cdn: to itself
huge-body           post poll (list cdn)  an answer padded to ``huge_body_bytes``; a post is charged
no-credits          post                  charged, but the answer has no credits_remaining
failed              job                   ends as failed, with a reason
error-word          job                   ends as "error"
done-word           job                   ends as "done" instead of success
completed-word      job                   ends as "completed" instead of success
unknown-word        job                   says "transmogrifying" while it runs
unknown-end         job                   ends as "transmogrified", with its URL
stuck               job                   stays pending for ever
null-progress       job                   progress is null
backwards-progress  job                   every second answer falls back by 30
url-without-success job                   at its end stays "pending" but carries its URL
success-without-url job                   ends as success with an empty result_url
encrypted           job                   carries an AES key; the file is not readable
hostile-text        job (post list)       job: status and reason; post: a 400; list: names - with escapes, bidi, markup
poll-404            poll                  the id is unknown (N times, or for ever)
expired-link        link                  the link has already run out when it is handed over
truncated           cdn                   full Content-Length, half of the file, then the connection dies
wrong-length        cdn                   the whole file, but Content-Length promises 97 bytes more
cut                 cdn                   half of the file with an honest Content-Length
wrong-type          cdn                   an HTML page with 200
not-ready           cdn                   403, as a storage not ready yet; the next poll brings the same link
drip                cdn                   a byte a second
gzip                cdn                   the file packed as gzip, unasked
not-yours           poll post             403 about this request alone; nothing is charged
moderated-403       post                  403 whose reason is moderation; nothing is charged
proxy-403           post poll (list)      403 with a firewall's HTML page; nothing is charged
fields-422          post                  422 with one reason a field, as {"errors": {…}}; nothing is charged
detail-422          post                  422 with a list of reasons, as FastAPI gives them; nothing is charged
echo-key            post poll             401 that repeats the key it got, with its slashes escaped; nothing is charged
refused-200         post poll             200 with {"status": false, "error": …}; nothing is charged
wrong-id            poll                  an answer about another request
empty-answer        post poll (list)      200 with an empty body; a post is charged
cancelled-word      job                   ends as "cancelled", with an error
moderated-word      job                   ends as "moderated", with its reason under result
end-word            job                   ends as "expired", with no reason at all
false-status        job                   ends as {"status": false, "error": …} with its id
ftp-link            job                   ends as success with a link of ftp
object-link         job                   ends as success with an object in place of its link
other-link-name     job                   ends as success with its link as result.video_url or output[0].url
private-link        job                   ends as success with a link to 169.254.169.254
endless-list        list                  every page is full, for ever
minor-twice         list                  everybody is listed a second time, at the age of "sixteen"
"""

from __future__ import annotations

import random
import re
from enum import StrEnum

import msgspec


class FaultPlace(StrEnum):
    """Places of faults."""

    POST = "post"
    POLL = "poll"
    CDN = "cdn"
    LIST = "list"
    JOB = "job"
    LINK = "link"


class Fault(StrEnum):
    """The kinds, as written on the command line."""

    LOST_ANSWER = "lost-answer"
    DROP_BEFORE = "drop-before"
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    HTML_502 = "html-502"
    CHARGED_502 = "charged-502"
    GARBAGE_JSON = "garbage-json"
    SLOW = "slow"
    REDIRECT = "redirect"
    HUGE_BODY = "huge-body"
    NO_CREDITS = "no-credits"
    FAILED = "failed"
    ERROR_WORD = "error-word"
    DONE_WORD = "done-word"
    COMPLETED_WORD = "completed-word"
    UNKNOWN_WORD = "unknown-word"
    UNKNOWN_END = "unknown-end"
    STUCK = "stuck"
    NULL_PROGRESS = "null-progress"
    BACKWARDS_PROGRESS = "backwards-progress"
    URL_WITHOUT_SUCCESS = "url-without-success"
    SUCCESS_WITHOUT_URL = "success-without-url"
    ENCRYPTED = "encrypted"
    HOSTILE_TEXT = "hostile-text"
    POLL_404 = "poll-404"
    EXPIRED_LINK = "expired-link"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    CUT = "cut"
    WRONG_TYPE = "wrong-type"
    NOT_READY = "not-ready"
    DRIP = "drip"
    GZIP = "gzip"
    NOT_YOURS = "not-yours"
    MODERATED_403 = "moderated-403"
    PROXY_403 = "proxy-403"
    FIELDS_422 = "fields-422"
    DETAIL_422 = "detail-422"
    ECHO_KEY = "echo-key"
    REFUSED_200 = "refused-200"
    WRONG_ID = "wrong-id"
    EMPTY_ANSWER = "empty-answer"
    CANCELLED_WORD = "cancelled-word"
    MODERATED_WORD = "moderated-word"
    END_WORD = "end-word"
    FALSE_STATUS = "false-status"
    FTP_LINK = "ftp-link"
    OBJECT_LINK = "object-link"
    OTHER_LINK_NAME = "other-link-name"
    PRIVATE_LINK = "private-link"
    ENDLESS_LIST = "endless-list"
    MINOR_TWICE = "minor-twice"


def _read_table() -> dict[Fault, tuple[tuple[FaultPlace, ...], tuple[FaultPlace, ...]]]:
    """Return the places of each fault by the table above: those where none is named, and those that need to be."""
    places = {}
    for row in (__doc__ or "").partition("what happens\n")[2].splitlines():
        usual, _, named = row[20:41].partition("(")
        places[Fault(row[:20].strip())] = (
            tuple(map(FaultPlace, usual.split())),
            tuple(map(FaultPlace, named.rstrip(") ").split())),
        )
    return places


_PLACES = _read_table()


def default_places(fault: Fault) -> tuple[FaultPlace, ...]:
    """Return where a fault strikes when no place is named."""
    return _PLACES[fault][0]


def allowed_places(fault: Fault) -> tuple[FaultPlace, ...]:
    """Return every place where a fault may be armed."""
    usual, named = _PLACES[fault]
    return usual + named


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """One armed fault: where, how often (None: always), how likely (0 to 1), and for which job (None: any)."""

    fault: Fault
    places: tuple[FaultPlace, ...]
    times: int | None = None
    probability: float = 1.0
    request_id: str | None = None


_RULE_PATTERN = re.compile(r"(?P<kind>[a-z0-9-]+)(?:@(?P<place>[a-z]+))?(?::(?P<amount>\d+(?:\.\d+)?)(?P<share>%?))?")
_PROMPT_RULE_PATTERN = re.compile(r"fault:([a-z0-9-]+)(?:@([a-z]+))?(?::(\d+))?")


def parse_places(fault: Fault, place: str | None) -> tuple[FaultPlace, ...]:
    """Return where a fault strikes: at this place, or where it does when none is named; raises ValueError."""
    if place is None:
        return default_places(fault)
    if place not in allowed_places(fault):
        allowed = ", ".join(allowed_places(fault))
        raise ValueError(f"{fault} cannot strike at {place!r}; possible: {allowed}")
    return (FaultPlace(place),)


def parse_rule(text: str) -> FaultRule:
    """Read ``KIND[@PLACE][:N|:P%]``; raises ValueError with a sentence that names what is wrong."""
    match = _RULE_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a fault; write KIND, KIND:3, KIND:10% or KIND@poll:3")
    try:
        fault = Fault(match["kind"])
    except ValueError:
        raise ValueError(f"unknown fault {match['kind']!r}; known: {', '.join(Fault)}") from None
    places = parse_places(fault, match["place"])
    amount = match["amount"]
    if amount is None:
        return FaultRule(fault=fault, places=places)
    if match["share"]:
        if float(amount) > 100:
            raise ValueError(f"{text!r}: a share is at most 100%")
        return FaultRule(fault=fault, places=places, probability=float(amount) / 100)
    if "." in amount:
        raise ValueError(f"{text!r}: a count is a whole number; write {amount}% for a share")
    return FaultRule(fault=fault, places=places, times=int(amount))


def rules_in_prompt(prompt: str) -> list[FaultRule]:
    """Return the faults named in a prompt; words that name no fault are ordinary prompt text."""
    rules = []
    for kind, place, times in _PROMPT_RULE_PATTERN.findall(prompt):
        if kind in set(Fault):
            fault = Fault(kind)
            places = parse_places(fault, place) if place in allowed_places(fault) else default_places(fault)
            rules.append(FaultRule(fault=fault, places=places, times=int(times) if times else None))
    return rules


class FaultPlan:
    """The armed faults, used up as they strike."""

    def __init__(self, rules: tuple[FaultRule, ...], rng: random.Random) -> None:
        self._rng = rng
        self.rules = list(rules)
        """Earlier rules strike first."""

    def _try_consume(self, rule: FaultRule, place: FaultPlace, request_id: str | None) -> bool:
        if place not in rule.places or rule.times == 0 or rule.request_id not in (None, request_id):
            return False
        if rule.probability < 1.0 and self._rng.random() >= rule.probability:
            return False
        if rule.times is not None:
            self.rules[self.rules.index(rule)] = msgspec.structs.replace(rule, times=rule.times - 1)
        return True

    def next_fault(self, place: FaultPlace, request_id: str | None = None) -> Fault | None:
        """Return the first fault that strikes here, used up by one."""
        return next((rule.fault for rule in list(self.rules) if self._try_consume(rule, place, request_id)), None)

    def next_faults(self, place: FaultPlace) -> set[Fault]:
        """Return every fault that strikes here, each used up by one."""
        return {rule.fault for rule in list(self.rules) if self._try_consume(rule, place, None)}
