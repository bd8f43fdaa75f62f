"""Malformed files and bombs, opened in a process that may not grow."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.media import bombs

DECODE_SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from eternal_tui.media.decode.validate import check_decodes, check_magic
from eternal_tui.media.errors import BrokenFile
from eternal_tui.media.limits import DecodeLimits
import av, PIL.Image  # what the decoders themselves take is not what is measured

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    began = time.process_time()
    try:
        with path.open("rb") as file:
            found = check_decodes(file, check_magic(file.read(64)), DecodeLimits())
        word = found.note or "opened"
    except BrokenFile as error:
        word = str(error)
    said[path.name] = [word, time.process_time() - began]
print(json.dumps({"said": said, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""
MAX_ADDRESS_SPACE_BYTES = 900 * 1024 * 1024
"""Bytes of address space: libav alone maps several hundred million before it opens anything."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float]]:
    folder = tmp_path_factory.mktemp("bombs")
    for name, data in [
        *bombs.broken_images(),
        *bombs.broken_videos(tmp_path_factory.mktemp("whole")),
        *bombs.valid_edge_cases(),
    ]:
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", DECODE_SCRIPT, str(folder), str(MAX_ADDRESS_SPACE_BYTES)],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stderr == ""
    return {name: (word, seconds) for name, (word, seconds) in json.loads(done.stdout)["said"].items()}


def test_every_bomb_is_called_broken_and_the_process_lives(verdicts: dict[str, tuple[str, float]]) -> None:
    passed = {name for name, _ in bombs.valid_edge_cases()}
    kept = {name for name, (word, _) in verdicts.items() if "kept unopened" in word}
    assert kept == {"mp4-no-pictures", "mp4-unknown-codec"}
    assert len(verdicts) - len(passed) >= 50
    opened = {name for name, (word, _) in verdicts.items() if word == "opened"}
    assert opened == passed
    assert all("is damaged" in word for name, (word, _) in verdicts.items() if name not in passed | kept)


def test_no_bomb_takes_long(verdicts: dict[str, tuple[str, float]]) -> None:
    """Of the processor's time: what else the machine does is not the bomb's doing."""
    assert {name: seconds for name, (_, seconds) in verdicts.items() if seconds > 6.0} == {}
