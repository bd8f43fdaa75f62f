"""Files of a data folder and a configuration written before the formats grew: they open whole and mean the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from eternal_tui.characters.catalog import FavouriteStore
from eternal_tui.config.loader import load_settings
from eternal_tui.drafts.stores import DraftStore, PresetStore
from eternal_tui.history.history import History
from eternal_tui.history.journal import Entry, Header
from eternal_tui.jobs.billing.charges import Row, from_row_record, to_row_record
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict, from_record, to_record

FOLDER = Path(__file__).parent / "version_0"


def test_history_of_an_older_version_opens(tmp_path: Path) -> None:
    """Four jobs: saved, running, failed, unconfirmed."""
    shutil.copy(FOLDER / "history.json", tmp_path)
    history = History.open(tmp_path)
    try:
        jobs = [from_record(job_id, record) for job_id, record in history.recent(10)]
        assert history.notices == []
        assert [job.id for job in jobs] == [4, 3, 2, 1]
        assert [job.state for job in jobs] == [
            JobState.UNCONFIRMED,
            JobState.FAILED,
            JobState.RUNNING,
            JobState.SUCCEEDED,
        ]
        saved = jobs[-1]
        assert (saved.file, saved.file_state) == ("0000001.jpg", FileState.SAVED)
        assert saved.request.prompt == "At the harbour"
        assert saved.file_info is not None
        assert saved.run_seconds is not None
        assert jobs[1].error == "The model could not follow the prompt."
        assert jobs[0].verdict in (None, Verdict.UNKNOWN)
        assert len(saved.timeline) == 4
    finally:
        history.close(compact=False)


def test_records_are_written_as_by_an_older_version() -> None:
    """Every field of a job and of a charge."""
    records = msgspec.json.decode((FOLDER / "records.json").read_bytes())
    job, charge = from_record(1, records["job"]), from_row_record(records["charge"])
    assert charge is not None
    assert msgspec.json.encode(to_record(job)) == msgspec.json.encode(records["job"])
    assert msgspec.json.encode(to_row_record(charge)) == msgspec.json.encode(records["charge"])
    assert records["job"].keys() | {"id"} == set(Job.__struct_encode_fields__)
    journal = "op id fields by n", "schema generation last_id base sequence empty follows carried"
    assert [" ".join(kind.__struct_encode_fields__) for kind in (Entry, Header)] == list(journal)
    added_since = {"waits_for"}
    assert records["charge"].keys() == set(Row.__struct_encode_fields__) - added_since


def test_small_files_of_an_older_version_open(tmp_path: Path) -> None:
    for name in ("draft.json", "presets.json", "favourites.json", "config.toml"):
        shutil.copy(FOLDER / name, tmp_path)
    draft = DraftStore(tmp_path).load()
    assert draft is not None
    assert (draft.character, draft.prompt, draft.type) == ("6870", "In a raincoat at the harbour", "video")
    presets = PresetStore(tmp_path).load()
    assert (presets.items[0].name, presets.default) == ("harbour", "harbour")
    assert FavouriteStore(tmp_path).load().favourites == ("6870",)
    settings = load_settings({"config": tmp_path / "config.toml"}, {"HOME": str(tmp_path)})
    assert (settings.key_header, settings.workers, settings.notify.bell) == ("x-api-key", 4, True)
    assert settings.save_template == "{date}-{character}-{type}-{id}"
