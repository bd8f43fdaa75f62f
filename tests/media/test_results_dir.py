"""The results folder: private, never followed out of, never overwritten."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory
from eternal_tui.media.errors import BrokenFile, ResultsDirUnusable
from tests.media.storage import file_names


def write_partial(folder: ResultsDirectory, data: bytes) -> tuple[PartialFile, str]:
    part = PartialFile(folder, "image", encrypted=True)
    part.write(data)
    return part, hashlib.sha256(data).hexdigest()


def publish_data(folder: ResultsDirectory, data: bytes, name: str = "7") -> Path:
    part, digest = write_partial(folder, data)
    with part.file:
        return folder.publish(part, name, "jpg", digest)


def test_a_second_file_of_one_job_gets_a_name_of_its_own(tmp_path: Path) -> None:
    with closing(ResultsDirectory(tmp_path)) as folder:
        assert [publish_data(folder, data).name for data in (b"one", b"two", b"one", b"two", b"three")] == [
            "7.jpg", "7-2.jpg", "7.jpg", "7-2.jpg", "7-3.jpg"
        ]  # fmt: skip
    assert (tmp_path / "7.jpg").read_bytes() == b"one"
    assert file_names(tmp_path) == ["7-2.jpg", "7-3.jpg", "7.jpg"]


@pytest.mark.parametrize("place", ["outside", "missing", "loop"])
def test_a_link_planted_at_the_final_name_is_stepped_around(tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    results = tmp_path / "results"
    results.mkdir()
    (results / "7.jpg").symlink_to("7.jpg" if place == "loop" else tmp_path / place)
    with closing(ResultsDirectory(results)) as folder:
        assert publish_data(folder, b"precious").name == "7-2.jpg"
    assert outside.read_bytes() == b"precious"
    assert (results / "7.jpg").is_symlink()
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_other_things_at_the_final_name_are_stepped_around(tmp_path: Path, kind: str) -> None:
    """A named pipe would hang whoever opens it to compare."""
    if kind == "folder":
        (tmp_path / "7.jpg").mkdir()
    else:
        os.mkfifo(tmp_path / "7.jpg")
    with closing(ResultsDirectory(tmp_path)) as folder:
        assert publish_data(folder, b"one").name == "7-2.jpg"


def test_a_linked_results_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").symlink_to("elsewhere")
    with pytest.raises(ResultsDirUnusable, match="symbolic link"):
        ResultsDirectory(tmp_path / "results")
    assert file_names(tmp_path / "elsewhere") == []


def test_swapping_the_folder_for_a_link_half_way_gains_nothing(tmp_path: Path) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with closing(ResultsDirectory(results)) as folder:
        part, digest = write_partial(folder, b"one")
        results.rename(tmp_path / "moved")
        results.symlink_to(elsewhere)
        with part.file:
            folder.publish(part, "7", "jpg", digest)
    assert file_names(elsewhere) == []
    assert file_names(tmp_path / "moved") == ["7.jpg"]


@pytest.mark.parametrize("kind", ["file", "under a file"])
def test_a_file_in_the_folder_s_place_is_said(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsDirUnusable, match="Not charged again"):
        ResultsDirectory(tmp_path / "file" if kind == "file" else tmp_path / "file" / "results")


def test_ninety_nine_different_files_are_enough(tmp_path: Path) -> None:
    with closing(ResultsDirectory(tmp_path)) as folder:
        for number in range(99):
            publish_data(folder, str(number).encode())
        part, digest = write_partial(folder, b"one more")
        with pytest.raises(BrokenFile, match="99"):
            folder.publish(part, "7", "jpg", digest)
        part.discard()
    assert len(file_names(tmp_path)) == 99


def test_disks_without_hard_links_are_served_without_overwriting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with closing(ResultsDirectory(tmp_path)) as folder:
        assert [publish_data(folder, data).name for data in (b"one", b"two", b"one")] == ["7.jpg", "7-2.jpg", "7.jpg"]
    assert file_names(tmp_path) == ["7-2.jpg", "7.jpg"]


def test_only_old_parts_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "notes.part").write_text("")
    with closing(ResultsDirectory(tmp_path)) as folder:
        part = PartialFile(folder, "image", encrypted=True)
        made = part.file.fileno()
        now = os.fstat(made).st_mtime
        folder.remove_stale_partials(now=now)
        assert file_names(tmp_path) == [part.name, "notes.part"]
        folder.remove_stale_partials(now=now + 100_000)
        part.discard()
    assert file_names(tmp_path) == ["notes.part"]


def run_script(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("mask", ["0", "0o777", "0o022"])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: str) -> None:
    code = """
        import os, sys
        from contextlib import closing
        from pathlib import Path
        from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory
        os.umask(int(sys.argv[2], 0))
        with closing(ResultsDirectory(Path(sys.argv[1]))) as folder:
            part = PartialFile(folder, "image", encrypted=True)
            part.write(b"one")
            folder.publish(part, "7", "jpg", "")
    """
    results = tmp_path / "results"
    run_script(code, str(results), mask)
    assert stat.S_IMODE(results.stat().st_mode) == 0o700
    assert stat.S_IMODE((results / "7.jpg").stat().st_mode) == 0o600


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    ResultsDirectory(tmp_path).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    """The kernel itself refuses to write beyond 1,000 bytes; a short write must not pass for a whole one."""
    code = """
        import resource, signal, sys
        from contextlib import closing
        from pathlib import Path
        from eternal_tui.media.errors import DiskFull
        from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with closing(ResultsDirectory(Path(sys.argv[1]))) as folder:
            part = PartialFile(folder, "image", encrypted=True)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            part.write(bytes(900))
            try:
                part.write(bytes(200))
            except DiskFull as error:
                print(error)
            part.discard()
    """
    said = run_script(code, str(tmp_path))
    assert "the disk is full" in said
    assert "Not charged again" in said
    assert file_names(tmp_path) == []
