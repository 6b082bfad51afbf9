"""The profile cache: by content, bounded, safe, and never in the way."""

from __future__ import annotations

import errno
import multiprocessing
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io.open import open_audio
from refmaster.profile import cache
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile, save_profile


@pytest.fixture(autouse=True)
def _empty_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_memory", OrderedDict())


@pytest.fixture
def song(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "song.wav"
    sf.write(path, 0.1 * rng.standard_normal((30000, 2)), 22050)
    return path


def forget() -> None:
    cache._memory.clear()
    cache._sha256.cache_clear()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    measured: list[Path] = []
    before = cache._measured

    def measuring(path: Path, progress: cache.Progress | None, stage: str) -> Profile:
        measured.append(path)
        return before(path, progress, stage)

    monkeypatch.setattr(cache, "_measured", measuring)
    return measured


def test_it_is_what_measuring_gives_and_is_measured_once(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = counted(monkeypatch)
    folder = tmp_path / "cache"
    fresh = measure(open_audio(song), faults=True)
    assert cache.cached_profile(song, folder=folder) == fresh
    assert cache.cached_profile(song, folder=folder) == fresh
    forget()
    assert cache.cached_profile(song, folder=folder) == fresh
    copy = tmp_path / "copy.wav"
    copy.write_bytes(song.read_bytes())
    assert cache.cached_profile(copy, folder=folder).source.file == str(copy)
    assert measured == [song]


def test_a_changed_file_and_changed_meters_are_measured_again(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = counted(monkeypatch)
    folder = tmp_path / "cache"
    first = cache.cached_profile(song, folder=folder)
    times = song.stat()
    samples, rate = sf.read(song)
    sf.write(song, 0.5 * samples, rate)
    os.utime(song, ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time
    second = cache.cached_profile(song, folder=folder)
    assert first.levels.integrated_lufs is not None
    assert second.levels.integrated_lufs == pytest.approx(first.levels.integrated_lufs - 6.0, abs=0.1)
    monkeypatch.setattr(cache, "measuring_digest", lambda: "0" * 16)
    forget()
    cache.cached_profile(song, folder=folder)
    assert len(measured) == 3


def test_a_damaged_entry_is_made_again(song: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    fresh = cache.cached_profile(song, folder=folder)
    (entry,) = folder.glob("*.json")
    entry.write_bytes(entry.read_bytes()[:100])
    forget()
    assert cache.cached_profile(song, folder=folder) == fresh
    assert entry.stat().st_size > 100


def test_a_folder_that_cannot_be_is_no_obstacle(song: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    assert cache.cached_profile(song, folder=blocked / "cache").levels.integrated_lufs is not None


def test_a_full_folder_is_no_obstacle(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert cache.cached_profile(song, folder=tmp_path / "cache").levels.integrated_lufs is not None
    assert list((tmp_path / "cache").glob("*.json")) == []


def test_the_folder_is_the_one_named_or_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path))
    assert cache.default_folder() == tmp_path
    monkeypatch.delenv("REFMASTER_CACHE")
    assert cache.default_folder() == platformdirs.user_cache_path("refmaster", appauthor=False) / "profiles"


def test_only_the_last_used_stay_in_memory(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_IN_MEMORY", 2)
    songs = [song, *(tmp_path / f"{n}.wav" for n in range(2))]
    for number, copy in enumerate(songs[1:]):
        copy.write_bytes(song.read_bytes() + bytes(8 * (number + 1)))
    for each in (songs[0], songs[1], songs[0], songs[2]):
        cache.cached_profile(each, folder=tmp_path / "cache")
    assert [profile.source.file for profile in cache._memory.values()] == [str(songs[0]), str(songs[2])]


def test_while_another_measures_it_waits_for_the_entry_and_not_for_ever(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "cache" / f"{cache.content_sha256(song)}-x.json"
    with cache._one_at_a_time(entry):
        started = time.monotonic()
        writer = threading.Timer(0.2, entry.touch)
        writer.start()
        with cache._one_at_a_time(entry):
            assert entry.exists()
        writer.join()
        assert 0.15 < time.monotonic() - started < 5.0
        entry.unlink()
        monkeypatch.setattr(cache, "WAIT_S", 0.1)
        with cache._one_at_a_time(entry):
            assert not entry.exists()


def test_saved_profiles_pass_through(song: Path, tmp_path: Path) -> None:
    profile = measure(open_audio(song))
    save_profile(profile, tmp_path / "saved.yaml")
    assert cache.cached_profile(tmp_path / "saved.yaml", folder=tmp_path / "cache") == profile
    forget()
    assert cache.cached_profile(tmp_path / "saved.yaml", folder=tmp_path / "cache") == profile


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.json"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 + number, 1000 + number))
    os.utime(tmp_path / "0.json", (2000, 2000))
    cache.trim(tmp_path, max_bytes=250)
    assert {path.name for path in tmp_path.iterdir()} == {"0.json", "4.json"}


def test_a_missing_file_is_an_audio_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none.wav: cannot be read"):
        cache.cached_profile(tmp_path / "none.wav", folder=tmp_path)


def _measure_in_a_process(song: str, folder: str, answers: object) -> None:
    measured: list[Path] = []
    before = cache._measured

    def measuring(path: Path, progress: cache.Progress | None, stage: str) -> Profile:
        measured.append(path)
        return before(path, progress, stage)

    cache._measured = measuring
    profile = cache.cached_profile(song, folder=Path(folder))
    answers.put((len(measured), profile.levels.integrated_lufs))  # type: ignore[attr-defined]


def test_of_two_processes_one_measures(song: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    both = [
        context.Process(target=_measure_in_a_process, args=(str(song), str(tmp_path / "cache"), answers))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    found = [answers.get() for _ in both]
    for process in both:
        process.join()
    answers.close()
    assert found[0][1] == found[1][1]
    assert sum(count for count, _ in found) == 1


def test_a_file_replaced_between_hash_and_measurement_is_not_kept(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = cache.content_sha256

    def then_replaced(path: Path) -> str:
        found = hashed(path)
        sf.write(tmp_path / "other.wav", sf.read(song)[0][::-1], 22050)
        (tmp_path / "other.wav").replace(song)
        return found

    monkeypatch.setattr(cache, "content_sha256", then_replaced)
    with pytest.raises(AudioError, match="changed or replaced"):
        cache.cached_profile(song, folder=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.json"))


def test_a_profile_that_is_kept_stands_for_measuring(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "kept"))
    measured = counted(monkeypatch)
    made = measure(open_audio(song, name="in the making"), identify=False)
    cache.keep_profile(song, made)
    assert cache.cached_profile(song) == measure(open_audio(song))
    assert measured == []
