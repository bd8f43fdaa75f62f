"""The page and the contact sheet: whole, alone, harmless; read by a real Chromium where there is one."""

from __future__ import annotations

import re
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import Image

from eternal_tui.core.sanitize import sanitize, sanitize_block
from eternal_tui.media.galleries import MAX_ITEMS, GalleryItem, write_contact_sheet, write_gallery
from tests.cli.chromium import CHROMIUM_PATH, open_in_chromium
from tests.cli.program import Program
from tests.media.files import encode_image, make_image, write_scene_video
from tests.tui.results import saved_job

HOSTILE = "</p><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">\u202eabc&amp;' \x1b[2J"


def make_items(folder: Path) -> list[GalleryItem]:
    (folder / "1.jpg").write_bytes(encode_image(make_image(), "JPEG"))
    write_scene_video(folder / "2.mp4", width=96, height=144, frames=24)
    return [
        GalleryItem(
            path=folder / name,
            title=sanitize(HOSTILE),
            prompt=sanitize_block(f"{HOSTILE}\nsecond line"),
            details=((sanitize("Note"), sanitize(HOSTILE)),),
        )
        for name in ("1.jpg", "2.mp4", "gone.png")
    ]


def render_page(folder: Path, limit: int = 10_000_000) -> tuple[Path, tuple[int, int]]:
    text = StringIO()
    page = write_gallery(make_items(folder), text, title=sanitize(HOSTILE), subtitle=sanitize("today"), max_bytes=limit)
    path = folder / "page.html"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path, page


def test_everything_is_inside_and_no_text_becomes_markup(tmp_path: Path) -> None:
    path, page = render_page(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert page == (3, 0)
    without_data = re.sub(r'"data:[a-z0-9/]+;base64,[A-Za-z0-9+/=]*"', '"data"', text)
    assert "<script" not in without_data
    assert "http" not in without_data.replace("http-equiv", "")
    assert set(re.findall(r"<([a-z0-9]+)", without_data)) <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "article", "img", "video",
        "div", "dl", "dt", "dd",
    }  # fmt: skip
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "the file is no longer there" in text


def test_a_page_grows_no_larger_than_allowed(tmp_path: Path) -> None:
    size = len(encode_image(make_image(), "JPEG"))
    path, page = render_page(tmp_path, limit=size + 10)
    assert page == (2, 1)
    assert "beyond its limit" in path.read_text(encoding="utf-8")
    assert "video/mp4" not in path.read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM_PATH is None, reason="Chromium is not installed: apt install chromium")
def test_a_real_browser_shows_and_plays_it_without_requests(tmp_path: Path) -> None:
    path, _ = render_page(tmp_path)
    with open_in_chromium(path, tmp_path / "profile") as browser:
        video = "document.querySelector('video')"
        loaded = f"{video}.onloadedmetadata = () => done(1), {video}.onerror = () => done(0)"
        ready = f"{video}.readyState ? done(1) : ({loaded}, {video}.error && done(0))"
        assert browser.evaluate(f"new Promise(done => {{ {ready} }})") == 1
        assert browser.evaluate(f"[{video}.duration, {video}.videoWidth, {video}.videoHeight]") == [1, 96, 144]
        later = f"{video}.currentTime > 0 && done({video}.currentTime)"
        moved = f"new Promise(done => {{ {video}.ontimeupdate = () => {later} }})"
        browser.evaluate(f"{video}.muted = true; {video}.play()")
        assert browser.evaluate(moved) > 0
        assert browser.evaluate("[...document.images].map(one => [one.naturalWidth, one.naturalHeight])") == [[96, 64]]
        assert browser.evaluate("document.title").startswith("</p><script>")
        assert browser.evaluate("document.querySelectorAll('script, iframe, object, [onerror]').length") == 0
        assert browser.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid"
        assert browser.evaluate("document.querySelector('.prompt').textContent.includes('second line')") is True
        assert {url.split(":")[0] for url in browser.requested_urls} <= {"file", "data"}
        assert browser.log_messages == []


def test_a_sheet_holds_every_result_in_its_place(tmp_path: Path) -> None:
    stream = BytesIO()
    assert write_contact_sheet(make_items(tmp_path), stream)[0] == 3
    with Image.open(stream) as sheet:
        assert (sheet.format, sheet.size) == ("PNG", (16 + 3 * 272, 16 + 312))
        first = sheet.crop((16, 16, 272, 272)).getcolors(1 << 20)
        third = sheet.crop((560, 16, 816, 120)).getcolors(1 << 20)
    assert first is not None
    assert third is not None
    assert len(first) > 1_000
    assert len(third) == 1
    many = [make_items(tmp_path)[2]] * (MAX_ITEMS + 5)
    assert write_contact_sheet(many, BytesIO())[0] == MAX_ITEMS


def test_export_writes_both_and_overwrites_neither(program: Program, tmp_path: Path) -> None:
    results = program.data_dir / "results"
    results.mkdir(mode=0o700, parents=True)
    make_items(results)
    for name in ("1.jpg", "2.mp4"):
        program.add_jobs(saved_job(name, prompt=f"{HOSTILE} {name}", created_at=1_700_000_000.0))
    for name, begins in (("all.html", b"<!doctype html>"), ("all.png", b"\x89PNG")):
        path = tmp_path / name
        ran = program.run("export", str(path))
        assert ran.code == 0
        # Characters that no font of this machine has are drawn as ?.
        assert not ran.err or (name == "all.png" and "no font" in ran.err)
        assert "2 results written" in ran.out
        assert path.read_bytes().startswith(begins)
        assert path.stat().st_mode & 0o777 == 0o600
        assert program.run("export", str(path)).code == 2
    ran = program.run("export", "--megabytes", "0.001", str(tmp_path / "small.html"))
    assert "2 results listed without the file" in ran.err
    assert program.run("export", "--megabytes", "0", "x.html").code == 2
    assert program.run("export", "--format", "sheet", "-").code == 2
    assert program.run("export", "--format", "html", "-").out.startswith("<!doctype html>")
