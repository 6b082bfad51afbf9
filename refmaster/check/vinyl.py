"""Findings on a master that is to be cut into vinyl: the length of a side, and what a cutter cannot hold.

Low and high energy, width and sibilance are read off the profile. Nothing is filtered for it: plants differ
in what they filter. Limits of sound were set between finished recordings and what plants name as trouble;
`benchmarks/playback.py` prints what each recording of a folder has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refmaster.check.findings import Finding, info, warning
from refmaster.matching.compressed import LOW_PLR_DB, is_over_compressed
from refmaster.profile.model import Profile
from refmaster.settings.vinyl import VinylSide, vinyl_side
from refmaster.units import db_to_power, power_to_db

# Plants ask for mono below 150 to 300 Hz, and for a correlation of 0.5 to 1.
BASS_BELOW_HZ = 200.0
BASS_CORRELATION = 0.5
BASS_SIDE_TO_MID_DB = -20.0
WIDE_CORRELATION, OUT_OF_PHASE_CORRELATION = 0.5, 0.0
# Against the whole, unweighted. Of 28 recordings the highest have -7.0 dB (99th percentile over time), -26.8
# dB, and -2.6 dB (a raw mix that is nearly all sub-bass; then -9.3 dB).
SIBILANCE_HZ, SIBILANCE_DB = (4500.0, 12000.0), -5.0
TREBLE_ABOVE_HZ, TREBLE_DB = 16000.0, -25.0
RUMBLE_BELOW_HZ, RUMBLE_DB = 40.0, -8.0
_BRIGHTEST_PERCENT = 99.0
_NOTABLE_COST_DB = 0.5
_NO_BASS_DB = -60.0


def inspect_vinyl(profile: Profile) -> list[Finding]:
    """Return the findings on one recording that is to be a side of a 12-inch at 33 rpm on its own."""
    return judge_vinyl([profile])


def judge_vinyl(songs: Sequence[Profile], *, size_inch: int = 12, speed_rpm: int = 33) -> list[Finding]:
    """Return the findings on the songs of one side.

    Parameters
    ----------
    songs : sequence of Profile
        Masters, in order; gaps between them are in their lengths.
    size_inch : int
        12, 10 or 7.
    speed_rpm : int
        33 or 45.

    Raises
    ------
    SettingsError
        There is no such side.
    """
    findings = _length(sum(song.source.duration_s for song in songs), vinyl_side(size_inch, speed_rpm))
    for song in songs:
        if song.is_silent:
            continue
        subject = song.name if len(songs) > 1 else "the master"
        findings += [*_image(song, subject), *_spectrum(song, subject), *_limited(song, subject)]
    return findings


def _length(length_s: float, side: VinylSide) -> list[Finding]:
    cost_db, where = side.cost_db(length_s), f"{_minutes(length_s)} on a {side.name}"
    cost = f"it is cut about {cost_db:.1f} dB quieter" if cost_db >= _NOTABLE_COST_DB else ""
    if length_s > side.most_s:
        return [
            warning(
                "vinyl_side_too_long",
                f"{where}: at most {_minutes(side.most_s)}, and best up to {_minutes(side.best_s)}"
                + (f"; {cost}" if cost else ""),
                f"move {_minutes(length_s - side.most_s)} or more to another side",
                value=round(length_s, 1),
                limit=side.most_s,
                unit="s",
            )
        ]
    if length_s > side.best_s and cost:
        return [
            info(
                "vinyl_side_quiet",
                f"{where}: best up to {_minutes(side.best_s)}; {cost}",
                "shorten the side, or take less bass and width",
                value=round(length_s, 1),
                limit=side.best_s,
                unit="s",
            )
        ]
    return []


def _image(song: Profile, subject: str) -> list[Finding]:
    findings = []
    correlation = song.stereo.correlation
    if correlation is not None and correlation < OUT_OF_PHASE_CORRELATION:
        findings.append(
            warning(
                "vinyl_out_of_phase",
                f"{subject} has a correlation of {correlation:.2f}: the needle is thrown up and down, "
                "0.5 to 1 is wanted",
                "narrow the width; check the polarity of wide sounds",
                value=correlation,
                limit=OUT_OF_PHASE_CORRELATION,
            )
        )
    elif correlation is not None and correlation < WIDE_CORRELATION:
        findings.append(
            info(
                "vinyl_wide",
                f"{subject} has a correlation of {correlation:.2f}; 0.5 to 1 is wanted for vinyl",
                "narrow the width",
                value=correlation,
                limit=WIDE_CORRELATION,
            )
        )
    return findings + _bass(song, subject)


def _bass(song: Profile, subject: str) -> list[Finding]:
    mid, side = (_between(song, part, 0.0, BASS_BELOW_HZ) for part in ("mid", "side"))
    if side <= 0.0 or mid + side < db_to_power(_NO_BASS_DB) * _between(song, "both", 0.0, np.inf):
        return []
    band = (song.spectrum.frequencies_hz[0], BASS_BELOW_HZ)
    # With left and right equally loud, as the profile does not say by band how they differ.
    correlation = round((mid - side) / (mid + side), 3)
    advice = "remove the side there: --mono-below 250, or mono_below_hz: 250 in the plan's tone"
    if correlation < BASS_CORRELATION:
        return [
            warning(
                "vinyl_stereo_bass",
                f"below {BASS_BELOW_HZ:.0f} Hz {subject} is not mono: left and right have a correlation of "
                f"{correlation:.2f} there",
                advice,
                band_hz=band,
                value=correlation,
                limit=BASS_CORRELATION,
            )
        ]
    side_to_mid_db = round(power_to_db(side / mid), 1)
    if side_to_mid_db > BASS_SIDE_TO_MID_DB:
        return [
            info(
                "vinyl_bass_width",
                f"below {BASS_BELOW_HZ:.0f} Hz the side of {subject} is {side_to_mid_db:.1f} dB against the "
                "mid; plants want mono there",
                advice,
                band_hz=band,
                value=side_to_mid_db,
                limit=BASS_SIDE_TO_MID_DB,
                unit="dB",
            )
        ]
    return []


def _spectrum(song: Profile, subject: str) -> list[Finding]:
    whole = _between(song, "both", 0.0, np.inf)
    findings = []
    sibilance_db = round(power_to_db(_brightest(song) / whole), 1)
    if sibilance_db > SIBILANCE_DB:
        findings.append(
            warning(
                "vinyl_sibilance",
                f"the brightest moments of {subject} reach {sibilance_db:.1f} dB of the whole at 5 to 12 "
                "kHz: the needle cannot follow, s and cymbals distort",
                "take a de-esser to voices and cymbals",
                band_hz=SIBILANCE_HZ,
                value=sibilance_db,
                limit=SIBILANCE_DB,
                unit="dB",
            )
        )
    treble_db = round(power_to_db(_between(song, "both", TREBLE_ABOVE_HZ, np.inf) / whole), 1)
    if treble_db > TREBLE_DB:
        findings.append(
            warning(
                "vinyl_treble",
                f"above {TREBLE_ABOVE_HZ / 1000:.0f} kHz {subject} has {treble_db:.1f} dB of the whole: it "
                "distorts, and many plants filter it",
                "ask the plant where it filters (16 to 18 kHz is usual), and lower it",
                band_hz=(TREBLE_ABOVE_HZ, 20000.0),
                value=treble_db,
                limit=TREBLE_DB,
                unit="dB",
            )
        )
    rumble_db = round(power_to_db(_between(song, "both", 0.0, RUMBLE_BELOW_HZ) / whole), 1)
    if rumble_db > RUMBLE_DB:
        findings.append(
            warning(
                "vinyl_rumble",
                f"below {RUMBLE_BELOW_HZ:.0f} Hz {subject} has {rumble_db:.1f} dB of the whole: it takes "
                "room on the side, and many plants filter it",
                "ask the plant where it filters (20 to 40 Hz is usual), and lower it",
                band_hz=(20.0, RUMBLE_BELOW_HZ),
                value=rumble_db,
                limit=RUMBLE_DB,
                unit="dB",
            )
        )
    return findings


def _limited(song: Profile, subject: str) -> list[Finding]:
    if not is_over_compressed(song):
        return []
    plr_db = song.levels.plr_db
    return [
        warning(
            "vinyl_limited",
            f"{subject} is limited hard: its peaks stand {plr_db:.1f} dB above its loudness; it will be cut "
            "quieter, not louder, and may distort",
            "make a master without a brick-wall limiter for vinyl",
            value=plr_db,
            limit=LOW_PLR_DB,
            unit="dB",
        )
    ]


def _between(song: Profile, part: str, low_hz: float, high_hz: float) -> float:
    """Return the power of mid, side or both between two frequencies; 0 where there is none."""
    hz = np.asarray(song.spectrum.frequencies_hz)
    inside = (hz >= low_hz) & (hz < high_hz)
    parts = {"mid": [song.spectrum.mid_db], "side": [song.spectrum.side_db]}
    levels = parts.get(part, [song.spectrum.mid_db, song.spectrum.side_db])
    return float(sum(db_to_power(np.asarray(level))[inside].sum() for level in levels if level))


def _brightest(song: Profile) -> float:
    """Return the power at 5 to 12 kHz that few segments pass."""
    evidence = song.evidence
    hz = np.asarray(evidence.frequencies_hz)
    inside = (hz >= SIBILANCE_HZ[0]) & (hz < SIBILANCE_HZ[1])
    rows = [r for r in (evidence.segment_mid_db, evidence.segment_side_db) if r]
    if not rows or not inside.any():
        return 0.0
    power = sum(db_to_power(np.array(levels))[:, inside].sum(axis=1) for levels in rows)
    return float(np.percentile(power, _BRIGHTEST_PERCENT))


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
