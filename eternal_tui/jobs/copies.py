"""Copies of result files: proposed and given names, and metadata in a sidecar or embedded."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec

from eternal_tui.core.formatting import OUTPUT_FIELDS, Template, parse_template
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import job_to_json
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.media.xmp import Splice

MAX_FILENAME_CHARS = 120
"""Characters of a proposed name: as many as a line shows."""

MAX_FILENAME_BYTES = 200
"""Bytes of a proposed name: with number and suffix under the 255 that most disks allow."""

_TEMPLATE_FIELD_PATTERN = r"\{(date|time|character|type|id)\}"
_RESERVED_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


def suggest_filename(job: Job, template: str, suffix: str) -> str:
    """Return the file name that the template makes for the job, ending in the verified file's own `suffix`.

    Unknown fields stay as they are written. Times are local, of when the job was made.
    """
    fields = _fields(job) | {"character": job.name or job.request.character}
    name = re.sub(_TEMPLATE_FIELD_PATTERN, lambda found: fields[found[1]], template)
    return safe_filename(name, fallback=f"job-{job.id}") + suffix


def _fields(job: Job) -> dict[str, str]:
    try:
        then = datetime.fromtimestamp(job.created_at).astimezone()
    except (ValueError, OverflowError, OSError):
        then = datetime.fromtimestamp(0).astimezone()
    return {
        "id": str(job.id),
        "character": job.request.character,
        "name": job.name or job.request.character,
        "prompt": " ".join(job.request.prompt.split()),
        "date": then.strftime("%Y-%m-%d"),
        "time": then.strftime("%H%M%S"),
        "type": job.request.type,
    }


def safe_filename(text: str, *, fallback: str) -> str:
    """Return `text` as one portable file name; `fallback` where nothing is left.

    Letters and digits of every script stay; separators, control and direction characters, quotes and shell signs
    become a hyphen; no leading dot or hyphen.
    """
    visible = sanitize(text, limit=4 * MAX_FILENAME_CHARS)
    kept = "".join(one if one in "._-" or unicodedata.category(one)[0] in "LMN" else "-" for one in visible)
    name = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", kept))[:MAX_FILENAME_CHARS]
    name = name.encode()[:MAX_FILENAME_BYTES].decode(errors="ignore").strip(".-_ ")
    return fallback if not name or name.casefold() in _RESERVED_NAMES else name


class OutputPath(msgspec.Struct, frozen=True):
    """The template of the paths of copies; without `has_suffix` the file's own suffix is added."""

    template: Template
    has_suffix: bool

    def path_for(self, job: Job, suffix: str, number: int) -> Path:
        """Return the path for the job's file of that suffix; fields become safe names without separators."""
        name = self.template.render(_fields(job) | {"n": str(number), "ext": suffix}, _clean) + (
            "" if self.has_suffix else suffix
        )
        folder, slash, last = name.rpartition("/")
        stem, end = (last[: -len(suffix)], suffix) if last.endswith(suffix) else os.path.splitext(last)  # noqa: PTH122
        return Path(folder + slash + stem.encode()[:MAX_FILENAME_BYTES].decode(errors="ignore") + end)


def parse_output_path(text: str, folder_template: str, *, base: Path, is_folder: bool = False) -> OutputPath:
    """Return the checked output path, relative to `base`; raise ValueError with a sentence.

    With `is_folder` a path without fields is a folder even where it does not exist yet.
    """
    if not text.strip("/ ") and not text.startswith("/"):
        raise ValueError("It is empty.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("It is not UTF-8 text.")
    if text == "-":
        raise ValueError("Results cannot be written to standard output; name a file or a folder.")
    text = os.path.expanduser(text)  # noqa: PTH111 - a template, not a path
    template = parse_template(text, OUTPUT_FIELDS)
    try:
        existing = None if template.fields or not (base / text).exists() else base / text
        if existing and not (existing.is_dir() or existing.is_file()):
            raise ValueError("It is neither a file nor a folder.")
        if text.endswith("/") or (not template.fields and is_folder) or (existing and existing.is_dir()):
            # As in "save as": there {character} is the name where it is known.
            text = f"{text.rstrip('/')}/{folder_template.replace('{character}', '{name}')}{{ext}}"
        if not text.startswith("/"):
            text = f"{str(base).replace('{', '{{').replace('}', '}}')}/{text}"
        _check_folder(text)
    except OSError as error:
        raise ValueError(f"{error.strerror}.") from None
    checked = parse_template(text, OUTPUT_FIELDS)
    last = checked.parts[-1]
    has_suffix = "ext" in checked.fields or (not last.field and "." in last.literal.rpartition("/")[2])
    return OutputPath(checked, has_suffix)


def _check_folder(template: str) -> None:
    """Raise ValueError where the folder above the first field cannot be written to."""
    fixed = Path(f"{template.replace('{{', '{').partition('{')[0]}_").parent
    existing = next(one for one in (fixed, *fixed.parents) if one.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is not a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(f"{existing} is not writable.")


def _clean(field: str, value: str) -> str:
    return value if field == "ext" else safe_filename(value, fallback="_")


MAX_COPIES = 999
COPY_BLOCK_BYTES = 1 << 20


def copy_to(source: Path, target: Path, *, splices: Sequence[Splice] = ()) -> Path:
    """Copy the file to `target`, or to `target` with -2, -3 … where that name is taken, and return where it is.

    `splices` are changes to make on the way, by rising offset. The copy is as readable as the user's umask makes new
    files. Raises OSError; nothing is then left behind.
    """
    # Without O_NONBLOCK a pipe in the file's place would be waited for.
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as original:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file any more", str(source))
        for number in range(1, MAX_COPIES + 1):
            path = target if number == 1 else target.with_name(f"{target.stem}-{number}{target.suffix}")
            try:
                # "x" neither replaces a file nor follows a link, even a dangling one.
                copy = path.open("xb")
            except FileExistsError:
                continue
            try:
                with copy:
                    original.seek(0)
                    for splice in splices:
                        _copy_bytes(original, copy, splice.offset - original.tell())
                        copy.write(splice.data)
                        original.seek(splice.removed, os.SEEK_CUR)
                    _copy_bytes(original, copy)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return path
    raise FileExistsError(errno.EEXIST, "there are too many files of that name", str(target))


def _copy_bytes(source: BinaryIO, target: BinaryIO, count: int | None = None) -> None:
    while block := source.read(COPY_BLOCK_BYTES if count is None else min(COPY_BLOCK_BYTES, count)):
        target.write(block)
        count = None if count is None else count - len(block)


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The target and the metadata of a copy."""

    output: OutputPath
    sidecar: Literal["", "json", "xmp"] = ""
    embed: bool = False


def write_copy(job: Job, results_dir: Path, options: CopyOptions, *, number: int = 1) -> Path:
    """Copy the job's verified file, with -2, -3 … where a name is taken, and return the path. Raises OSError."""
    # 10 ms that no start needs.
    from eternal_tui.media.xmp import embedding_splices, xmp_packet

    source = result_path(job, results_dir)
    if source is None or not source.is_file():
        raise FileNotFoundError(2, f"job {job.id} has no result file")
    target = options.output.path_for(job, source.suffix, number)
    target.parent.mkdir(parents=True, exist_ok=True)
    fields = _metadata(job, results_dir)
    texts = {_XMP_NAMES.get(name, name): _xmp_text(value) for name, value in fields.items() if name != "prompt"}
    packet = xmp_packet(job.request.prompt, texts)
    path = copy_to(source, target, splices=embedding_splices(source, packet) if options.embed else ())
    if options.sidecar:
        text = json.dumps({"file": path.name, **fields}, indent=2) + "\n"
        with path.with_name(f"{path.name}.{options.sidecar}").open("xb") as file:
            file.write(packet if options.sidecar == "xmp" else text.encode())
    return path


_XMP_NAMES = {"request_id": "requestId", "created_at": "createdAt"}
_METADATA_FIELDS = (
    "prompt", "character", "name", "type", "duration", "audio", "quality", "request_id", "template", "cost",
    "created_at", "tags", "note",
)  # fmt: skip
"""Metadata of a copy: never a result URL or a key."""


def _metadata(job: Job, results_dir: Path) -> dict[str, Any]:
    fields = job_to_json(job, results_dir)
    return {name: fields[name] for name in _METADATA_FIELDS if fields[name] not in (None, "", [])}


def _xmp_text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
