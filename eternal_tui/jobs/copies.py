"""Copies of result files under names given by the user, with metadata in a sidecar or embedded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.core.formatting import OUTPUT_FIELDS, Template, parse_template
from eternal_tui.jobs.files import copy_to, result_path, safe_filename
from eternal_tui.jobs.job_json import format_utc
from eternal_tui.jobs.model import Job

MAX_COMPONENT_BYTES = 200
"""Bytes of one name: with number and suffix under the 255 that most disks allow."""


class OutputPath(msgspec.Struct, frozen=True):
    """The template of the paths of copies; without `has_suffix` the file's own suffix is added."""

    template: Template
    has_suffix: bool

    def path_for(self, job: Job, suffix: str, number: int) -> Path:
        """Return the path for the job's file of that suffix; fields become safe names without separators."""
        name = self.template.render(_fields(job, suffix, number), _clean) + ("" if self.has_suffix else suffix)
        folder, slash, last = name.rpartition("/")
        stem, end = (last[: -len(suffix)], suffix) if last.endswith(suffix) else os.path.splitext(last)  # noqa: PTH122
        return Path(folder + slash + stem.encode()[:MAX_COMPONENT_BYTES].decode(errors="ignore") + end)


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
    try:
        return _parse_output_path(text, folder_template, base=base, is_folder=is_folder)
    except OSError as error:
        raise ValueError(f"{error.strerror}.") from None


def _parse_output_path(text: str, folder_template: str, *, base: Path, is_folder: bool) -> OutputPath:
    template = parse_template(text, OUTPUT_FIELDS)
    has_fields = bool(template.fields)
    if not has_fields and (existing := base / text).exists() and not (existing.is_dir() or existing.is_file()):
        raise ValueError("It is neither a file nor a folder.")
    folder = text.endswith("/") or (not has_fields and (is_folder or (base / text).is_dir()))
    # As in "save as": there {character} is the name where it is known.
    file_template = folder_template.replace("{character}", "{name}")
    whole = f"{text.rstrip('/')}/{file_template}{{ext}}" if folder else text
    if not whole.startswith("/"):
        whole = f"{str(base).replace('{', '{{').replace('}', '}}')}/{whole}"
    _check_folder(whole)
    checked = parse_template(whole, OUTPUT_FIELDS)
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


def _fields(job: Job, suffix: str, number: int) -> dict[str, str]:
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
        "n": str(number),
        "ext": suffix,
    }


def _clean(field: str, value: str) -> str:
    return value if field == "ext" else safe_filename(value, fallback="_")


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, and with which metadata."""

    output: OutputPath
    sidecar: Literal["", "json", "xmp"] = ""
    embed: bool = False


def write_copy(job: Job, results_dir: Path, options: CopyOptions, *, number: int = 1) -> Path:
    """Copy the job's verified file, with -2, -3 … where a name is taken, and return the path. Raises OSError."""
    # 10 ms that no start needs.
    from eternal_tui.media.export.xmp import embedding_splices, xmp_packet

    source = result_path(job, results_dir)
    if source is None or not source.is_file():
        raise FileNotFoundError(2, f"job {job.id} has no result file")
    target = options.output.path_for(job, source.suffix, number)
    target.parent.mkdir(parents=True, exist_ok=True)
    packet = xmp_packet(job.request.prompt, _xmp_fields(job))
    path = copy_to(source, target, splices=embedding_splices(source, packet) if options.embed else ())
    if options.sidecar:
        data = packet if options.sidecar == "xmp" else _json_sidecar(job, path)
        with path.with_name(f"{path.name}.{options.sidecar}").open("xb") as file:
            file.write(data)
    return path


def metadata(job: Job) -> dict[str, Any]:
    """Return what a copy says about its request: never a result URL, never a key."""
    request = job.request
    fields: Mapping[str, Any] = {
        "prompt": request.prompt,
        "character": request.character,
        "name": job.name,
        "type": request.type,
        "duration": request.duration,
        "audio": request.audio,
        "quality": request.quality,
        "request_id": job.request_id,
        "template": job.template,
        "cost": job.cost,
        "created_at": format_utc(job.created_at),
        "tags": list(job.tags),
        "note": job.note,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _xmp_fields(job: Job) -> dict[str, str]:
    names = {"request_id": "requestId", "created_at": "createdAt"}
    fields = metadata(job)
    return {
        names.get(name, name): " ".join(value)
        if isinstance(value, list)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for name, value in fields.items()
        if name != "prompt"
    }


def _json_sidecar(job: Job, path: Path) -> bytes:
    return (json.dumps({"file": path.name, **metadata(job)}, indent=2, ensure_ascii=True) + "\n").encode()
