"""Proof of deliveries: every finding provoked and nearly provoked, and manifests that mean harm."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import mutagen
import pytest
import soundfile as sf

from refmaster import Verification, verify
from refmaster.check.findings import Finding
from refmaster.delivery import meters
from refmaster.delivery.meters import independent_readings
from refmaster.errors import InputError, SettingsError
from refmaster.io import ffmpeg
from refmaster.io.digest import sha256_of

Case = Callable[[Path], list[Finding]]
Edit = Callable[[dict[str, Any]], None]

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")


def edit(folder: Path, change: Edit, name: str = "manifest.json") -> None:
    path = folder / "Masters" / name
    data = json.loads(path.read_text("utf-8"))
    change(data["deliveries"][0])
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")


def found(folder: Path, *, render: bool = False, name: str = "manifest.json") -> list[Finding]:
    return list(verify(folder / "Masters" / name, render=render).findings)


def after(change: Edit, *, render: bool = False) -> Case:
    """Return the case of a manifest that was edited."""

    def case(folder: Path) -> list[Finding]:
        edit(folder, change)
        return found(folder, render=render)

    return case


def moved(part: str, key: str, by: float) -> Edit:
    """Return the edit that moves a value away from the one that was measured when the file was written."""

    def change(delivery: dict[str, Any]) -> None:
        delivery[part][key] = delivery["achieved"][key] + by

    return change


def flipped(path: Path, at: int = 1001) -> None:
    """Flip the lowest bit of a byte of the audio."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def spoilt(name: str, change: Callable[[Path], object], *, render: bool = False) -> Case:
    def case(folder: Path) -> list[Finding]:
        change(folder / name)
        return found(folder, render=render)

    return case


def cut(length: int) -> Case:
    """Return the case of a delivered file that was always as short as that, as far as its hash tells."""

    def case(folder: Path) -> list[Finding]:
        song = folder / "Masters" / "song.wav"
        song.write_bytes(song.read_bytes()[:length])
        edit(folder, lambda delivery: delivery.update(sha256=sha256_of(song)))
        return found(folder)

    return case


def without_meters(*names: str) -> Case:
    """Return the case of a machine on which some meters are not installed."""

    def case(folder: Path) -> list[Finding]:
        there = shutil.which
        with (
            mock.patch.object(meters.importlib.util, "find_spec", return_value=None),
            mock.patch.object(meters.shutil, "which", lambda name: None if name in names else there(name)),
        ):
            return found(folder)

    return case


def art_that_is_none(folder: Path) -> list[Finding]:
    """Put a text in the cover's place, under its hash."""
    (folder / "cover.png").write_text("no picture")

    def change(delivery: dict[str, Any]) -> None:
        for item in (delivery["inputs"][1], delivery["plan"]["art"]):
            item["sha256"] = sha256_of(folder / "cover.png")

    return after(change, render=True)(folder)


def reseeded(seed: int) -> Edit:
    def change(delivery: dict[str, Any]) -> None:
        delivery["plan"]["output"]["dither_seed"] = seed

    return change


untouched = spoilt("Masters/song.wav", os.utime)

# Code: what provokes it, and the same situation just inside the limit.
CASES: dict[str, tuple[Case, Case]] = {
    "file_missing": (spoilt("Masters/song.wav", Path.unlink), untouched),
    "file_changed": (spoilt("Masters/song.wav", flipped), untouched),
    "file_unreadable": (cut(5000), cut(10**9)),
    "format_differs": (after(lambda d: d["achieved"].update(frames=240001)), untouched),
    "loudness_differs": (
        after(moved("achieved", "integrated_lufs", -0.12)),
        after(moved("achieved", "integrated_lufs", -0.08)),
    ),
    "loudness_not_as_asked": (
        after(moved("asked", "integrated_lufs", 0.17)),
        after(moved("asked", "integrated_lufs", 0.13)),
    ),
    "true_peak_not_measured": (without_meters("ffmpeg"), without_meters("another")),
    "true_peak_differs": (
        after(moved("achieved", "true_peak_dbtp", -0.25)),
        after(moved("achieved", "true_peak_dbtp", -0.15)),
    ),
    "true_peak_above": (
        after(moved("asked", "true_peak_dbtp", -0.25)),
        after(moved("asked", "true_peak_dbtp", -0.15)),
    ),
    "input_missing": (spoilt("mix.wav", Path.unlink, render=True), spoilt("mix.wav", os.utime, render=True)),
    "input_changed": (spoilt("mix.wav", flipped, render=True), spoilt("mix.wav", os.utime, render=True)),
    "render_failed": (art_that_is_none, spoilt("cover.png", os.utime, render=True)),
    "render_differs": (after(reseeded(1), render=True), after(reseeded(0), render=True)),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str, delivered: Path, tmp_path: Path) -> None:
    folders = (tmp_path / "provoked", tmp_path / "near")
    provoked, near_miss = (
        {finding.code for finding in case(Path(shutil.copytree(delivered, folder)))}
        for case, folder in zip(CASES[code], folders, strict=True)
    )
    assert provoked - near_miss == {code}
    assert near_miss <= provoked


def test_what_was_delivered_is_verified_by_every_meter_and_renders_to_the_same_bytes(place: Path) -> None:
    before = sorted(path for path in place.rglob("*"))
    result = verify(place / "Masters" / "manifest.json", render=True)
    (song,) = result.files
    assert isinstance(result, Verification)
    assert result.kept_promises
    assert result.findings == ()
    assert song.render == "same bytes"
    assert song.readings[0].meter == "pyloudnorm"
    assert any(reading.has_true_peak for reading in song.readings)
    for reading in song.readings:
        assert reading.integrated_lufs == pytest.approx(-16.0, abs=0.1)
    assert sorted(path for path in place.rglob("*")) == before
    assert "verified" in str(result)


def test_a_lossy_file_renders_to_the_same_samples(place: Path) -> None:
    assert verify(place / "Masters" / "ogg.json", render=True).files[0].render == "same bytes"
    retagged(place / "Masters" / "song.ogg")
    edit(place, lambda d: d.update(sha256=sha256_of(place / "Masters" / "song.ogg")), "ogg.json")
    (song,) = verify(place / "Masters" / "ogg.json", render=True).files
    assert (song.render, song.findings) == ("same samples", ())


def retagged(path: Path) -> None:
    file: Any = mutagen.File(path)
    file["title"] = "another"
    file.save()


def test_a_lossless_file_must_be_the_same_to_the_byte(place: Path) -> None:
    song = place / "Masters" / "song.wav"
    song.write_bytes(song.read_bytes().replace("Söng".encode(), b"Sang!"))
    edit(place, lambda d: d.update(sha256=sha256_of(song)))
    (finding,) = found(place, render=True)
    assert finding.code == "render_differs"
    assert "the samples are the same" in finding.message


def test_another_render_says_by_how_much_and_with_which_versions(place: Path) -> None:
    edit(place, reseeded(1))
    path = place / "Masters" / "manifest.json"
    data = json.loads(path.read_text("utf-8"))
    data["versions"] |= {"numpy": "1.0", "gone": "2"}
    path.write_text(json.dumps(data), "utf-8")
    (finding,) = found(place, render=True)
    # two dithers, each of a triangle of two steps of 16 bits
    assert finding.value is not None
    assert -100.0 < finding.value <= -80.0
    assert "numpy 1.0 then" in finding.advice
    assert "gone 2 then, none now" in finding.advice
    flipped(place / "Masters" / "song.wav")
    codes = {f.code: f.message for f in found(place, render=True)}
    assert "cannot be compared" in codes["render_differs"]


def test_another_form_is_told(place: Path) -> None:
    edit(place, lambda d: d["plan"]["output"].update(sample_rate_hz=44100))
    (finding,) = found(place, render=True)
    assert "sample rate, channels or length differ" in finding.message


def test_a_loudness_that_the_plan_could_not_reach_is_no_broken_promise(place: Path) -> None:
    def change(delivery: dict[str, Any]) -> None:
        delivery["asked"] |= {"integrated_lufs": -9.0, "limited_by": "audibility"}

    edit(place, change)
    result = verify(place / "Masters" / "manifest.json")
    assert [(f.code, f.severity) for f in result.findings] == [("loudness_not_as_asked", "warning")]
    assert result.kept_promises


# Manifests that mean harm


def test_inputs_are_not_touched_unless_a_render_is_asked_for(place: Path) -> None:
    shutil.rmtree(place / "Masters" / "x", ignore_errors=True)
    for name in ("mix.wav", "cover.png", "reference.wav"):
        (place / name).unlink()
    assert found(place) == []


@pytest.mark.parametrize(
    "where", ["/etc/hostname", "C:/mix.wav", "file:///etc/hostname", "http://x.test/mix.wav"]
)
def test_inputs_from_the_root_and_urls_are_never_read(place: Path, where: str) -> None:
    def change(delivery: dict[str, Any]) -> None:
        for item in (delivery["inputs"][0], delivery["plan"]["mix"]):
            item["file"] = where

    edit(place, change)
    with mock.patch("refmaster.delivery.verify.sha256_of", wraps=sha256_of) as hashed:
        (finding,) = found(place, render=True)
    assert finding.code == "input_missing"
    assert "expected a relative path" in finding.message
    read = {os.fspath(call.args[0]) for call in hashed.call_args_list}
    assert read == {os.fspath(place / "Masters" / "song.wav"), os.fspath(place / "Masters" / "../cover.png")}


def test_another_file_under_an_inputs_name_is_hashed_but_never_opened_as_audio(place: Path) -> None:
    (place / "secret.txt").write_text("secret")

    def change(delivery: dict[str, Any]) -> None:
        for item in (delivery["inputs"][0], delivery["plan"]["mix"]):
            item["file"] = "../secret.txt"

    edit(place, change)
    with mock.patch("refmaster.delivery.verify.render_file") as rendered:
        assert [f.code for f in found(place, render=True)] == ["input_changed"]
    rendered.assert_not_called()


@pytest.mark.skipif(os.name == "nt", reason="no symbolic links and pipes there")
def test_links_out_of_the_folder_and_pipes_are_not_followed(place: Path) -> None:
    song = place / "Masters" / "song.wav"
    shutil.move(song, place / "elsewhere.wav")
    song.symlink_to("../elsewhere.wav")
    with pytest.raises(InputError, match="symbolic link that leads out of it"):
        found(place)
    song.unlink()
    os.mkfifo(song)
    assert [f.code for f in found(place)] == ["file_missing"]
    song.unlink()
    shutil.move(place / "elsewhere.wav", place / "Masters" / "real.wav")
    song.symlink_to("real.wav")
    assert found(place) == []


def test_a_master_that_is_no_audio_any_more(place: Path) -> None:
    (place / "Masters" / "song.wav").write_bytes(b"RIFF" + os.urandom(200))
    assert {f.code for f in found(place)} == {"file_changed", "file_unreadable"}


def test_a_manifest_that_is_none_is_an_error(place: Path) -> None:
    (place / "Masters" / "manifest.json").write_text('{"jobs": []}')
    with pytest.raises(SettingsError, match="expected a manifest"):
        verify(place / "Masters" / "manifest.json")


# The meters


@needs_ffmpeg
def test_ffmpeg_stands_in_for_libebur128(place: Path) -> None:
    song = place / "Masters" / "song.wav"
    with mock.patch.object(meters.importlib.util, "find_spec", return_value=None):
        _, reading = independent_readings(song)
        assert found(place) == []
    assert (reading.meter, reading.resolution) == ("ffmpeg", 0.1)
    assert reading.integrated_lufs == pytest.approx(-16.0, abs=0.1)
    (achieved,) = json.loads((place / "Masters" / "manifest.json").read_text("utf-8"))["deliveries"]
    assert reading.true_peak_dbtp == pytest.approx(achieved["achieved"]["true_peak_dbtp"], abs=0.15)


@pytest.mark.parametrize("libebur128", [True, pytest.param(False, marks=needs_ffmpeg)])
def test_silence_has_neither(tmp_path: Path, libebur128: bool) -> None:
    if libebur128:
        pytest.importorskip("pyebur128")
    sf.write(tmp_path / "silence.wav", [[0.0, 0.0]] * 48000, 48000)
    spec = meters.importlib.util.find_spec("pyebur128") if libebur128 else None
    with mock.patch.object(meters.importlib.util, "find_spec", return_value=spec):
        readings = independent_readings(tmp_path / "silence.wav")
    assert [r.meter for r in readings] == ["pyloudnorm", "libebur128" if libebur128 else "ffmpeg"]
    assert all(r.integrated_lufs is None and r.true_peak_dbtp is None for r in readings)
