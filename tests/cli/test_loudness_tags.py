"""Loudness tags of one master: those of the written file, in the kind that its container has."""

import json

import mutagen
import pytest


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("flac", "replaygain"), ("mp3", "replaygain"), ("ogg", "replaygain"), ("opus", "r128")],
)
def test_they_are_those_of_the_written_file(command, music, tmp_path, suffix, kind):
    output = tmp_path / f"master.{suffix}"
    options = ["-r", music / "reference.wav", "--lufs", "-16", "--loudness-tags", kind, "--json"]
    code, out, err = command("master", music / "mix.wav", "-o", output, *options)
    assert (code, err) == (0, "")
    lufs = json.loads(out)["achieved"]["after"]["integrated_lufs"]
    file = mutagen.File(output)
    if kind == "r128":
        assert file["r128_track_gain"] == [str(round(256 * (-23 - lufs)))]
        assert "replaygain_track_gain" not in file
    else:
        in_id3 = suffix == "mp3"
        (gain,) = file.tags["TXXX:REPLAYGAIN_TRACK_GAIN"].text if in_id3 else file["replaygain_track_gain"]
        assert gain == f"{-18 - lufs:.2f} dB"


@pytest.mark.parametrize(("suffix", "said"), [("opus", "Opus files have r128"), ("caf", "hold no tags")])
def test_what_a_file_cannot_hold_is_refused(command, music, tmp_path, suffix, said):
    output = tmp_path / f"master.{suffix}"
    options = ["-r", music / "reference.wav", "-o", output, "--loudness-tags", "replaygain"]
    code, _, err = command("master", music / "mix.wav", *options)
    assert code == 2
    assert said in err
    assert not output.exists()
