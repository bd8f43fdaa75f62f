"""Requests from the command line, standard input, JSON lines and CSV, checked whole before anything is sent."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from eternal_tui.api.models import GenerateRequest, validation_errors
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import is_terminal
from eternal_tui.core.formatting import format_bytes
from eternal_tui.core.sanitize import sanitize
from eternal_tui.drafts.expansion import expand_prompts, is_template
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import parse_tags
from eternal_tui.jobs.submit.submitter import SubmitDetails

if TYPE_CHECKING:
    from eternal_tui.cli.context import Context

MAX_PROMPT_CHARS = 100_000
"""Characters of a prompt: far more than any prompt, far less than a file given by mistake."""

MAX_NOTE_CHARS = 4_000

MAX_COUNT = 100
"""Jobs of one prompt: beyond this a slip of the finger is likelier than intent."""

MAX_JOBS_PER_RUN = 10_000
MAX_INPUT_BYTES = 64_000_000
MAX_REPORTED_ERRORS = 100
_BOM = "\ufeff"
_FIELDS = ("character", "prompt", "type", "duration", "audio", "quality", "count", "tags", "note", "output")
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_TYPE_BY_SETTING = {"quality": "image", "duration": "video", "audio": "video"}
_CSV_DELIMITERS = ",;\t"


class PlannedRequest(SubmitDetails, frozen=True, kw_only=True):
    """One request to submit; `request.character` may still be a name. `source` says where it was read."""

    request: GenerateRequest
    output: str = ""
    source: str = ""


class InputError(Exception):
    """One error in an input file."""

    def __init__(self, line: int, message: str, column: int | str | None = None) -> None:
        where = f"line {line}" if column is None else f"line {line}, column {column}"
        super().__init__(f"{where}: {message}")


def plan_requests(context: Context) -> list[PlannedRequest]:
    """Return every request of a `generate` command, in order; CommandError with all errors where one is wrong."""
    given = context.arguments
    defaults = {name: getattr(given, name) for name in ("type", "duration", "audio", "quality", "count")}
    defaults["tags"] = list(parse_tags(" ".join(given.tag)))
    defaults["note"] = given.note or ""
    characters = [text.strip() for text in given.character or ()]
    if given.input is not None:
        if given.prompt:
            raise UsageError("--prompt and --input exclude each other.")
        planned = _plan_file(context, characters, defaults)
    else:
        planned = _plan_options(context, characters, defaults)
    if len(planned) > MAX_JOBS_PER_RUN:
        raise UsageError(f"{len(planned)} requests; one run sends at most {MAX_JOBS_PER_RUN}.")
    return [msgspec.structs.replace(one, batch_index=number) for number, one in enumerate(planned, 1)]


def _plan_options(context: Context, characters: list[str], defaults: dict[str, Any]) -> list[PlannedRequest]:
    # Settings first, so that a wrong option does not read the whole of standard input.
    _raise_errors(_errors_of({**defaults, "character": "1", "prompt": "a"}))
    if not any(characters):
        _raise_errors(_errors_of({**defaults, "character": "", "prompt": "a"}))
    prompts = [
        prompt for text in context.arguments.prompt or [None] for prompt in read_prompts(text, context.output.stdin)
    ]
    planned: list[PlannedRequest] = []
    for character, prompt in product(characters, prompts):
        fields = {**defaults, "character": character, "prompt": prompt}
        _raise_errors(_errors_of(fields))
        planned += _expand(fields, "")
    return planned


def _raise_errors(errors: Mapping[str, str]) -> None:
    if errors:
        raise UsageError(f"{' '.join(errors.values())}")


def read_prompts(option: str | None, stdin: TextIO) -> list[str]:
    """Return the prompts of one `--prompt`; CommandError where there is none."""
    if option is not None and option != "-":
        if len(option) > MAX_PROMPT_CHARS:
            raise UsageError(f"A prompt has at most {MAX_PROMPT_CHARS} characters.")
        return [option.removeprefix(_BOM)]
    if option is None and is_terminal(stdin):
        raise UsageError("Prompt is required: --prompt TEXT, or one per line on stdin.")
    try:
        prompts = list(islice(_stdin_lines(stdin), MAX_JOBS_PER_RUN + 1))
    except UnicodeDecodeError:
        raise UsageError("Standard input is not UTF-8 text.") from None
    except (OSError, ValueError):
        raise UsageError("Standard input cannot be read.") from None
    if not prompts:
        raise UsageError("Standard input contains no prompt. Give --prompt TEXT.")
    return prompts


def _stdin_lines(stdin: TextIO) -> Iterator[str]:
    is_first = True
    while line := stdin.readline(MAX_PROMPT_CHARS + 1):
        if len(line) > MAX_PROMPT_CHARS:
            raise UsageError(f"A prompt has at most {MAX_PROMPT_CHARS} characters; a line of stdin is longer.")
        line, is_first = line.removeprefix(_BOM) if is_first else line, False
        if line.strip():
            yield line.rstrip("\r\n")


def _plan_file(context: Context, characters: list[str], defaults: dict[str, Any]) -> list[PlannedRequest]:
    name = context.arguments.input
    shown = "stdin" if name == "-" else name
    planned: list[PlannedRequest] = []
    errors: list[str] = []
    try:
        text = _read_text(name, context.output.stdin)
        rows = _csv_rows(text, errors) if _is_csv(name, text) else _json_rows(text, errors)
        for line, values, content in rows:
            fields = _with_defaults(values, defaults)
            found = _errors_of({"character": next(iter(characters), ""), **fields})
            errors += [str(InputError(line, message, _column(field, content))) for field, message in found.items()]
            if not errors:
                for character in [fields["character"]] if "character" in fields else characters:
                    planned += _expand({**fields, "character": character}, f"{shown}, line {line}")
            if len(planned) > MAX_JOBS_PER_RUN:
                raise InputError(line, f"more than {MAX_JOBS_PER_RUN} requests")
    except InputError as error:
        errors.append(str(error))
    if not errors and not planned:
        errors = ["no requests"]
    for sentence in errors[:MAX_REPORTED_ERRORS]:
        context.output.error(sanitize(f"{shown}, {sentence}"))
    if errors:
        more = len(errors) - MAX_REPORTED_ERRORS
        rest = f" {more} not shown." if more > 0 else ""
        raise UsageError(f"{pluralize(len(errors), 'error')} in {shown}.{rest}")
    return planned


def _read_text(name: str, stdin: TextIO) -> str:
    try:
        if name == "-":
            source = getattr(stdin, "buffer", None)
            data = stdin.read().encode() if source is None else source.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{name} cannot be read: {why}.") from None
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError(f"{name} is larger than {format_bytes(MAX_INPUT_BYTES)}.")
    try:
        return str(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line_start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[line_start : error.start].decode(errors="replace")) + 1
        raise InputError(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text", column) from None


def _is_csv(name: str, text: str) -> bool:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return True
    return suffix not in (".jsonl", ".ndjson", ".json") and not text.lstrip().startswith(("{", "["))


_Rows = Iterator[tuple[int, dict[str, Any], str]]
"""The number of a line, its fields, and the JSON they were read from."""


def _column(field: str, content: str) -> int | str | None:
    """Return where a field is: the column of its value in JSON, its name in CSV."""
    found = re.search(rf'"{field}"\s*:\s*', content)
    return found.end() + 1 if found else None if content else field


def _json_rows(text: str, errors: list[str]) -> _Rows:
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            try:
                values = _json_object(line, content)
            except InputError as error:
                errors.append(str(error))
            else:
                yield line, values, content


def _json_object(line: int, text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(fields := dict(pairs)) < len(pairs):
            raise InputError(line, "a key is given twice")
        return fields

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(line, f"not valid JSON: {error.msg}", error.colno) from None
    except (ValueError, RecursionError):
        raise InputError(line, "not valid JSON") from None
    if not isinstance(value, dict):
        raise InputError(line, "one JSON object per line is expected", 1)
    for name in value:
        if name not in _FIELDS:
            column = text.find(json.dumps(name)) + 1
            raise InputError(line, f'unknown field "{name}". Fields: {", ".join(_FIELDS)}', column or None)
    return {name: given for name, given in value.items() if given is not None}


def _csv_rows(text: str, errors: list[str]) -> _Rows:
    head = text.split("\n", 1)[0]
    delimiter = max(_CSV_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    next_line = 1
    try:
        for cells in reader:
            line, next_line = next_line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _csv_header(line, cells)
            elif len(cells) > len(header):
                what = f"{len(cells)} cells, but the header has {len(header)}"
                errors.append(str(InputError(line, what, len(header) + 1)))
            else:
                values = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
                yield line, _from_csv(values), ""
    except csv.Error as error:
        raise InputError(next_line, f"not valid CSV: {error}") from None


def _csv_header(line: int, cells: Sequence[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    for number, name in enumerate(header, 1):
        if name not in _FIELDS:
            raise InputError(line, f'unknown column "{name}". Columns: {", ".join(_FIELDS)}', number)
        if name in header[: number - 1]:
            raise InputError(line, f'column "{name}" is given twice', number)
    if "prompt" not in header:
        raise InputError(line, "the header has no column prompt")
    return header


def _from_csv(values: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: cell if name == "prompt" else cell.strip() for name, cell in values.items()}
    for name in fields.keys() & {"duration", "count"}:
        fields[name] = parse_number(fields[name])
    if "audio" in fields:
        fields["audio"] = _TRUTH.get(fields["audio"].lower(), fields["audio"])
    if "tags" in fields:
        fields["tags"] = re.split(r"[\s,;]+", fields["tags"])
    return fields


def parse_number(text: str) -> int | str:
    """Return the whole number, or the text where it is none: the rules of a request have the better sentence."""
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10 else text


def _with_defaults(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Add the options of the command line; those that do not apply to the line's type are left out."""
    kind = values.get("type", defaults["type"])
    others = {name for name, applies_to in _TYPE_BY_SETTING.items() if applies_to != kind}
    fields = {**{name: value for name, value in defaults.items() if name not in others}, **values}
    if isinstance(fields.get("character"), int) and not isinstance(fields["character"], bool):
        fields["character"] = str(fields["character"])
    if isinstance(values.get("tags"), list) and all(isinstance(tag, str) for tag in values["tags"]):
        fields["tags"] = [*defaults["tags"], *values["tags"]]
    return fields


def _shape_errors(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence on a field of another type, or far too long."""
    for name in ("character", "prompt", "type", "quality", "note", "output"):
        if not isinstance(fields.get(name, ""), str | None):
            return {name: f"{name} is text."}
    if not isinstance(fields["tags"], list) or not all(isinstance(tag, str) for tag in fields["tags"]):
        return {"tags": "tags is a list of words."}
    if not isinstance(fields.get("audio"), bool | None):
        return {"audio": "audio is true or false."}
    for name, most in (("prompt", MAX_PROMPT_CHARS), ("note", MAX_NOTE_CHARS)):
        if len(fields.get(name, "")) > most:
            return {name: f"A {name} has at most {most} characters."}
    return {}


def _errors_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for each field that breaks a rule."""
    if errors := _shape_errors(fields):
        return errors
    errors = validation_errors(_request(fields))
    try:
        if not all(prompt.strip() for prompt in expand_prompts(fields.get("prompt", ""))):
            errors.setdefault("prompt", "The template makes an empty prompt.")
    except ValueError as error:
        errors.setdefault("prompt", str(error))
    # A name is no ID yet; only what can be neither is an error here.
    if "character" in errors and fields["character"] and not _is_invalid_character(fields["character"]):
        del errors["character"]
    count = fields["count"]
    if type(count) is not int or not 1 <= count <= MAX_COUNT:
        errors["count"] = f"--count is a whole number from 1 to {MAX_COUNT}."
    return errors


def _is_invalid_character(character: str) -> bool:
    """Whether the text can be neither an ID nor a name: a URL, a path or an encoded image."""
    return "/" in character or len(character) > 100 or character.lower().startswith(("http:", "https:", "data:"))


def _request(fields: Mapping[str, Any]) -> GenerateRequest:
    names = GenerateRequest.__struct_fields__
    return GenerateRequest(**{"prompt": "", **{name: fields[name] for name in names if name in fields}})


def _expand(fields: Mapping[str, Any], source: str) -> list[PlannedRequest]:
    """Return the requests of one line: each alternative of its prompt, `count` times."""
    template = fields["prompt"]
    return [
        PlannedRequest(
            request=_request({**fields, "prompt": prompt}),
            tags=parse_tags(" ".join(fields["tags"])),
            note=fields.get("note", ""),
            template=template if is_template(template) else "",
            output=fields.get("output", ""),
            source=source,
        )
        for prompt in expand_prompts(template)
        for _ in range(fields["count"])
    ]
