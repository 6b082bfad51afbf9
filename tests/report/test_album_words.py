"""An album in sentences: directions, places, how sure, and what is done, as an engineer would say it."""

import re

import numpy as np
import pytest
import soundfile as sf

from refmaster.album.features import TONE_HZ
from refmaster.album.passes import master_album
from refmaster.album.plan import EngineerStage
from refmaster.album.words import telling_range, tone_words
from refmaster.report.album_words import common_line, curve_lines, engineer_lines, track_lines

RATE_HZ = 44100


def noise(seed, *, treble_db=0.0, level_db=0.0):
    """Return two seconds of pink-like noise with a shelf above 5 kHz."""
    random = np.random.default_rng(seed)
    hz = np.maximum(np.fft.rfftfreq(2 * RATE_HZ, 1 / RATE_HZ), 20.0)
    gain_db = -4.5 * np.log2(hz / 1000.0) + np.where(hz > 5000.0, treble_db, 0.0) + level_db
    spectrum = np.fft.rfft(random.standard_normal((2 * RATE_HZ, 2)), axis=0)
    samples = np.fft.irfft(spectrum * 10 ** (gain_db / 20)[:, None], axis=0)
    return 0.05 * samples


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Return a function that plans an album of six songs by two engineers; ben is dark and quiet."""
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "cache"))
    lines = ["version: 1", "tracks:"]
    for number in range(6):
        ben = number % 2 == 1
        samples = noise(number, treble_db=-6.0 if ben else 0.0, level_db=-4.0 if ben else 0.0)
        sf.write(tmp_path / f"{number}.wav", samples, RATE_HZ, "PCM_24")
        lines.append(f"  - {{file: {number}.wav, title: Song {number}, engineer: {'ben' if ben else 'ana'}}}")

    def plan(more="", text=None):
        (tmp_path / "album.yaml").write_text((text or "\n".join(lines)) + f"\n{more}\n")
        return master_album(tmp_path / "album.yaml", tmp_path / "out", dry_run=True)

    plan.text = "\n".join(lines)
    return plan


def test_an_engineer_is_one_sentence_with_directions(planned):
    ana, ben = engineer_lines(planned())
    number = r"\d\.\d"
    assert re.fullmatch(
        rf"ben, 3 songs: {number} dB dark above (2|5) kHz \(sure to {number}\): \+{number} dB; "
        rf"{number} dB quiet \(sure to {number}\): \+{number} dB",
        ben,
    )
    assert re.fullmatch(
        rf"ana, 3 songs: {number} dB bright above (2|5) kHz \(sure to {number}\): -{number} dB; "
        rf"{number} dB loud \(sure to {number}\): -{number} dB",
        ana,
    )


def test_what_is_done_follows_strength_and_keep(planned):
    full = engineer_lines(planned())[1]
    half = engineer_lines(planned("engineers: {strength: 50}"))[1]
    found, whole = (float(x) for x in re.search(r"(\d\.\d) dB dark.*?: \+(\d\.\d) dB", full).groups())
    done = float(re.search(r"dB dark.*?: \+(\d\.\d) dB", half)[1])
    assert half.partition(":")[2].partition(":")[0] == full.partition(":")[2].partition(":")[0]
    assert 0.5 < whole < found  # only what is unlikely to be chance is taken back
    assert done == pytest.approx(whole / 2, abs=0.11)
    kept = planned(text=planned.text.replace("engineer: ben}", "engineer: ben, keep: [tone, level]}"))
    assert engineer_lines(kept)[1].count("left as it is") == 2
    one = planned(text=planned.text.replace("Song 1, engineer: ben}", "Song 1, engineer: ben, strength: 0}"))
    assert re.search(r"dark .*: \+0\.0 to \+\d\.\d dB;", engineer_lines(one)[1])


def test_one_engineer_has_nobody_to_be_compared_with(planned):
    (line,) = engineer_lines(planned(text=planned.text.replace("ben", "ana")))
    assert line == "ana, 6 songs: the album has no other engineer to compare with"
    ana, _ = engineer_lines(planned("engineers: {anchor: ana}"))
    assert ana == "ana, 3 songs: the album follows this engineer"


def test_a_track_is_one_sentence(planned):
    result = planned()
    lines = track_lines(result)
    assert len(lines) == 6
    number = r"\d+\.\d"
    for place, line in enumerate(lines):
        who, tone, side = ("ben", r"\+", "below") if place % 2 else ("ana", "-", "above")
        assert re.fullmatch(
            rf" {place + 1} Song {place} \({who}\): [+-]{number} dB, from -{number} to -{number} LUFS; "
            rf"tone {tone}{number} dB above (2|5) kHz; "
            rf"its loud sections {number} dB {side} the album's mean in the mixes",
            line,
        ), line
    assert common_line(result) is None


def test_the_references_have_one_sentence(planned, tmp_path):
    sf.write(tmp_path / "ref.wav", noise(9, treble_db=9.0), RATE_HZ, "PCM_24")
    line = common_line(planned("references: [{file: ref.wav}]\nmatch: {strength: full}"))
    assert re.fullmatch(r"all songs, toward the references: \+\d\.\d dB above (2|5) kHz", line)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (5000, 20000, "+1.0 dB above 5 kHz"),
        (20, 150, "+1.0 dB below 150 Hz"),
        (500, 2000, "+1.0 dB from 500 Hz to 2 kHz"),
        (2000, 10000, "+1.0 dB from 2 to 10 kHz"),
        (0, 1, ""),
    ],
)
def test_a_curve_is_said_by_the_range_that_explains_most(low, high, said):
    assert tone_words(np.where((low <= TONE_HZ) & (high > TONE_HZ), 1.0, 0.0)) == said
    assert tone_words(-np.where((low <= TONE_HZ) & (high > TONE_HZ), 1.0, 0.0)) == said.replace("+", "-")


def test_a_narrow_move_is_not_said_of_the_whole_spectrum():
    found = telling_range(np.where(np.abs(np.log2(TONE_HZ / 250.0)) < 0.5, 2.0, 0.0))
    assert found.place == "from 150 to 500 Hz"
    assert (found.too_little, found.too_much) == ("weak", "strong")


def test_the_curve_fits_a_screen_and_shows_the_habit(planned):
    _, ben = planned().plan.engineers
    lines = curve_lines(ben)
    assert all(len(line) <= 64 for line in lines)
    assert sum(line.count("*") for line in lines[1:]) == len(TONE_HZ)
    zero = next(line for line in lines if "+0 dB" in line)
    last = max(lines[1:-1], key=lambda line: line.rfind("*"))
    assert lines.index(last) > lines.index(zero)  # dark: the treble lies below 0 dB
    assert lines[-1].split() == ["63", "250", "1k", "4k", "Hz"]
    bare = EngineerStage.model_validate(ben.model_dump() | {"habit": ()})
    assert curve_lines(bare) == []
