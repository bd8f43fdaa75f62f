"""The results folder: private, never followed out of, never overwritten."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory
from eternal_tui.media.errors import BrokenFile, DiskFull, ResultsDirUnusable
from tests.media.storage import file_names


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ResultsDirectory]:
    with closing(ResultsDirectory(tmp_path / "results")) as opened:
        yield opened


def publish(folder: ResultsDirectory, data: bytes) -> str:
    part = PartialFile(folder, "image", encrypted=True)
    part.write(data)
    with part.file:
        return folder.publish(part, "7", "jpg", hashlib.sha256(data).hexdigest()).name


def test_a_second_file_of_one_job_gets_a_name_of_its_own(folder: ResultsDirectory) -> None:
    names = [publish(folder, data) for data in (b"one", b"two", b"one", b"two", b"three")]
    assert names == ["7.jpg", "7-2.jpg", "7.jpg", "7-2.jpg", "7-3.jpg"]
    assert (folder.path / "7.jpg").read_bytes() == b"one"
    assert file_names(folder.path) == ["7-2.jpg", "7-3.jpg", "7.jpg"]


def test_disks_without_hard_links_are_served_without_overwriting(
    folder: ResultsDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert [publish(folder, data) for data in (b"one", b"two", b"one")] == ["7.jpg", "7-2.jpg", "7.jpg"]
    assert file_names(folder.path) == ["7-2.jpg", "7.jpg"]


@pytest.mark.parametrize("kind", ["link", "dead link", "loop", "folder", "pipe"])
def test_what_is_in_the_place_of_the_final_name_is_left_alone(
    folder: ResultsDirectory, tmp_path: Path, kind: str
) -> None:
    """Opening a named pipe to compare it would hang."""
    final, outside = folder.path / "7.jpg", tmp_path / "outside"
    outside.write_bytes(b"one")
    if kind == "folder":
        final.mkdir()
    elif kind == "pipe":
        os.mkfifo(final)
    else:
        final.symlink_to({"link": outside, "dead link": tmp_path / "missing", "loop": final}[kind])
    assert publish(folder, b"one") == "7-2.jpg"
    assert outside.read_bytes() == b"one"
    assert final.is_symlink() == kind.endswith(("link", "loop"))
    assert not (tmp_path / "missing").exists()


def test_a_linked_results_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").symlink_to("elsewhere")
    with pytest.raises(ResultsDirUnusable, match="symbolic link"):
        ResultsDirectory(tmp_path / "results")
    assert file_names(tmp_path / "elsewhere") == []


def test_swapping_the_folder_for_a_link_half_way_gains_nothing(folder: ResultsDirectory, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.path.rename(tmp_path / "moved")
    folder.path.symlink_to(elsewhere)
    publish(folder, b"one")
    assert file_names(elsewhere) == []
    assert file_names(tmp_path / "moved") == ["7.jpg"]


@pytest.mark.parametrize("name", ["file", "file/results"])
def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsDirUnusable, match="Not charged again"):
        ResultsDirectory(tmp_path / name)


def test_ninety_nine_different_files_are_enough(folder: ResultsDirectory) -> None:
    for number in range(99):
        publish(folder, str(number).encode())
    with pytest.raises(BrokenFile, match="99"):
        publish(folder, b"one more")


def test_only_old_parts_are_cleared(folder: ResultsDirectory) -> None:
    (folder.path / "notes.part").write_text("")
    with PartialFile(folder, "image").file as file:
        now = os.fstat(file.fileno()).st_mtime
        folder.remove_stale_partials(now=now)
        assert len(file_names(folder.path)) == 2
        folder.remove_stale_partials(now=now + 100_000)
    assert file_names(folder.path) == ["notes.part"]


@pytest.mark.parametrize("mask", [0, 0o777, 0o022])
def test_modes_do_not_depend_on_the_umask_nor_on_what_was_there(tmp_path: Path, mask: int) -> None:
    open_before = tmp_path / "open"
    open_before.mkdir()
    open_before.chmod(0o777)
    before = os.umask(mask)
    try:
        for path in (open_before, tmp_path / "new"):
            with closing(ResultsDirectory(path)) as folder:
                publish(folder, b"one")
    finally:
        os.umask(before)
    for path in (open_before, tmp_path / "new"):
        assert [each.stat().st_mode & 0o777 for each in (path, path / "7.jpg")] == [0o700, 0o600]


def test_a_full_disk_is_an_error_of_its_own(folder: ResultsDirectory) -> None:
    """The kernel itself refuses to write beyond 1,000 bytes; a short write must not pass for a whole one."""
    part = PartialFile(folder, "image", encrypted=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        part.write(bytes(900))
        with pytest.raises(DiskFull, match=r"the disk is full.*Not charged again"):
            part.write(bytes(200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    part.discard()
    assert file_names(folder.path) == []
