"""``refmaster check``: text, JSON, exit codes, folders and references."""

import json

import numpy as np
import pytest
import soundfile as sf

import refmaster
from tests.check.made_audio import RATE_HZ, song

FIELDS = {
    "severity", "code", "message", "advice", "times_s", "band_hz", "channel", "value", "limit", "unit",
}  # fmt: skip


@pytest.fixture(scope="module")
def mixes(tmp_path_factory):
    """Return a folder with a clean mix, one that pauses, and a muddy one."""
    folder = tmp_path_factory.mktemp("mixes")
    paused = song(12.0)
    paused[4 * RATE_HZ : 8 * RATE_HZ] = 0.0
    spectrum = np.fft.rfft(song(), axis=0)
    hz = np.fft.rfftfreq(8 * RATE_HZ, 1 / RATE_HZ)
    spectrum[(hz > 150.0) & (hz < 500.0)] *= 10 ** (12 / 20)
    muddy = 0.2 * np.fft.irfft(spectrum, axis=0)
    for name, samples in (("clean", song()), ("paused", paused), ("muddy", muddy)):
        sf.write(folder / f"{name}.wav", samples, RATE_HZ, "PCM_24")
    return folder


def test_a_clean_mix_passes(command, mixes):
    code, out, err = command("check", mixes / "clean.wav")
    assert (code, out, err) == (0, f"{mixes / 'clean.wav'}: passed\n", "")


def test_a_limit_that_failed_is_told_with_its_time(command, mixes):
    code, out, _ = command("check", mixes / "paused.wav")
    assert code == 1
    first, finding = out.splitlines()
    assert first.endswith("paused.wav: a limit failed")
    assert finding.startswith("warning: the mix is silent for 4.0 s within (at 0:04.0); export it")
    assert command("check", mixes / "paused.wav", "--quiet") == (1, "", "")


def test_every_finding_has_its_fields(command, mixes):
    code, out, _ = command("check", mixes, "--json", "--no-cache")
    found = json.loads(out)
    assert code == 1
    assert list(found) == ["files"]
    by_name = {entry["file"].rpartition("/")[2]: entry for entry in found["files"]}
    assert {name: entry["passed"] for name, entry in by_name.items()} == {
        "clean.wav": True, "paused.wav": False, "muddy.wav": False,
    }  # fmt: skip
    (silent,) = by_name["paused.wav"]["findings"]
    assert silent.keys() == FIELDS
    assert (silent["code"], silent["severity"]) == ("mix_silence", "warning")
    assert silent["times_s"] == [pytest.approx(4.0, abs=0.03)]
    assert (silent["band_hz"], silent["limit"], silent["unit"]) == (None, 3.0, "s")
    muddy = next(f for f in by_name["muddy.wav"]["findings"] if f["code"] == "mix_muddy")
    assert muddy["band_hz"] == [150.0, 500.0]
    assert muddy["value"] > muddy["limit"]
    assert muddy["advice"]


def test_one_bad_file_does_not_keep_the_others_from_it(command, mixes, tmp_path):
    code, out, err = command("check", tmp_path / "none.wav", mixes / "paused.wav", "--json")
    found = json.loads(out)
    assert code == 2
    assert [entry["passed"] for entry in found["files"]] == [False]
    assert found["errors"][0]["kind"] == "AudioError"
    assert "none.wav: no such file" in err
    assert command("check", tmp_path / "none.wav")[0] == 2


def test_silence_and_surround_are_bad_input(command, tmp_path):
    sf.write(tmp_path / "silent.wav", np.zeros((RATE_HZ, 2)), RATE_HZ)
    sf.write(tmp_path / "surround.wav", np.repeat(song()[:, :1], 6, axis=1), RATE_HZ)
    assert "found silence" in command("check", tmp_path / "silent.wav")[2]
    code, _, err = command("check", tmp_path / "surround.wav")
    assert code == 2
    assert "found 6 channels" in err


def test_a_reference_is_what_the_balance_is_held_against(command, mixes):
    code, out, _ = command("check", mixes / "muddy.wav")
    assert code == 1
    assert "usual in finished songs" in out
    code, out, _ = command("check", mixes / "muddy.wav", "-r", mixes / "clean.wav")
    assert "150-500 Hz stands" in out
    assert "in the reference" in out
    own = command("check", mixes / "muddy.wav", "-r", mixes / "muddy.wav")[1]
    assert "muddy:" not in own
    assert "the reference muddy.wav is the mix itself" in own


def test_the_library_finds_the_same(mixes):
    result = refmaster.check_file(mixes / "paused.wav", mixes / "clean.wav", use_cache=False)
    assert not result.passed
    assert [f.code for f in result.findings if f.severity == "warning"] == ["mix_silence"]
    assert repr(result).splitlines()[2].split() == ["passed", "no"]
    assert refmaster.check_file(refmaster.measure(mixes / "clean.wav")).passed
    array = refmaster.ArraySource(song(), RATE_HZ)
    assert refmaster.check_file(array).findings == ()
