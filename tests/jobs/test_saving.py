"""Copies of results: their names, and that they replace nothing, follow nothing and leave nothing half done."""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest
from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.jobs.copies import MAX_FILENAME_BYTES, MAX_FILENAME_CHARS, copy_to, safe_filename, suggest_filename
from eternal_tui.jobs.model import Job

CREATED_AT = datetime(2026, 3, 4, 15, 6, 7).timestamp()  # noqa: DTZ001 - names are in local time


@pytest.mark.parametrize(
    ("template", "character", "name"),
    [
        (Settings().save_template, "Astrid", "2026-03-04-Astrid-image-12"),
        ("{date}_{time}_{id}", "Astrid", "2026-03-04_150607_12"),
        ("{character}", "", "6870"),
        ("{character}", "Zoë Ωmega 港で", "Zoë-Ωmega-港で"),
        ("{character}-{id}", "../../.ssh/authorized_keys\x00.exe\x1b[2J", "ssh-authorized_keys-.exe-2J-12"),
        ("{nothing}", "", "nothing"),
        ("{id.__class__}", "", "id.__class"),
        ("../../{id}", "", "12"),
        ("/etc/{id}", "", "etc-12"),
        ("...", "", "job-12"),
        ("", "", "job-12"),
        ("nul", "", "job-12"),
        ("-rf {id}", "", "rf-12"),
    ],
)
def test_template_and_character_make_a_plain_name(template: str, character: str, name: str) -> None:
    request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
    job = Job(id=12, request=request, created_at=CREATED_AT, name=UntrustedText(character))
    assert suggest_filename(job, template, ".jpg") == f"{name}.jpg"


@given(st.text(max_size=400))
def test_no_text_becomes_more_than_one_safe_name(text: str) -> None:
    name = safe_filename(text, fallback="job-1")
    assert name
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith((".", "-"))
    assert len(name) <= MAX_FILENAME_CHARS
    assert len(name.encode()) <= MAX_FILENAME_BYTES
    assert name == sanitize(name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "12.jpg"
    path.write_bytes(b"image" * 1000)
    path.chmod(0o600)
    return path


def test_nothing_is_overwritten(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "mine.jpg"
    target.write_bytes(b"mine")
    assert [copy_to(source, target).name for _ in range(2)] == ["mine-2.jpg", "mine-3.jpg"]
    assert target.read_bytes() == b"mine"
    assert (tmp_path / "mine-3.jpg").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("dangling", [True, False])
def test_no_link_is_followed(tmp_path: Path, source: Path, dangling: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    if not dangling:
        elsewhere.write_bytes(b"theirs")
    (tmp_path / "mine.jpg").symlink_to(elsewhere)
    assert copy_to(source, tmp_path / "mine.jpg").name == "mine-2.jpg"
    assert elsewhere.exists() is not dangling
    assert dangling or elsewhere.read_bytes() == b"theirs"


def test_a_result_that_became_a_link_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "12.jpg").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        copy_to(tmp_path / "12.jpg", tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()


def test_the_copy_is_as_readable_as_the_person_makes_files(tmp_path: Path, source: Path) -> None:
    before = os.umask(0o027)
    try:
        copy = copy_to(source, tmp_path / "out.jpg")
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_nothing_half_is_left(tmp_path: Path) -> None:
    """The first page of a process's memory fails to be read, as a bad disk would."""
    with pytest.raises(OSError, match="Input/output"):
        copy_to(Path(f"/proc/{os.getpid()}/mem"), tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()
