"""Each finding on a master for vinyl: provoked beyond its limit, and missed just inside."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from refmaster import ArraySource, Profile, measure
from refmaster.check.findings import Finding
from refmaster.check.vinyl import inspect_vinyl, judge_vinyl
from refmaster.errors import SettingsError
from refmaster.matching.derive import derive_plan
from refmaster.rendering.renderer import Renderer
from refmaster.settings.match import MatchSettings
from refmaster.settings.vinyl import vinyl_side, vinyl_table

Case = Callable[[], list[Finding]]
Bands = dict[tuple[float, float], float]
RATE_HZ = 44100
FRAMES = 6 * RATE_HZ
# Music as one might cut it: Hz and the power in dB.
MUSIC: Bands = {(40.0, 200.0): 0.0, (200.0, 4400.0): 0.0, (4600.0, 11200.0): -10.0}


def noise(bands: Bands, seed: int) -> NDArray[np.float64]:
    """Noise that has exactly the powers in dB of its bands."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(FRAMES))
    hz = np.fft.rfftfreq(FRAMES, 1 / RATE_HZ)
    total = np.zeros(FRAMES)
    for (low, high), level_db in bands.items():
        band = np.fft.irfft(np.where((hz >= low) & (hz < high), spectrum, 0.0), FRAMES)
        total += band / band.std() * 10 ** (level_db / 20)
    return total


def stereo(mid: Bands, side: Bands) -> NDArray[np.float64]:
    m, s = noise(mid, 1), noise(side, 2)
    s -= m * (m @ s) / (m @ m)  # so that left and right are equally loud
    return 0.05 * np.column_stack([m + s, m - s])


def profile(mid: Bands | None = None, side: Bands | None = None) -> Profile:
    wide = {(250.0, 4400.0): -15.0} if side is None else side
    return measure(ArraySource(stereo(MUSIC if mid is None else mid, wide), RATE_HZ, name="side.wav"))


def lasting(seconds: float, **where: Any) -> list[Finding]:
    made = profile()
    source = made.source.model_copy(update={"duration_s": seconds})
    return judge_vinyl([made.model_copy(update={"source": source})], **where)


def with_share(band: tuple[float, float], share_db: float) -> list[Finding]:
    """Judge music with a band that holds so much of the whole."""
    share = 10 ** (share_db / 10)
    rest = {hz: level for hz, level in MUSIC.items() if hz[1] <= band[0] or hz[0] >= band[1]}
    side = {(250.0, 4400.0): -15.0}
    power = sum(10 ** (level / 10) for level in (*rest.values(), *side.values()))
    return inspect_vinyl(profile({**rest, band: 10 * np.log10(power * share / (1 - share))}, side))


def correlated(correlation: float) -> list[Finding]:
    """Judge music whose channels correlate above the bass as asked, all in all."""
    mid, bass_mid = 2.0 + 0.1, 1.0
    side = mid * (1 - correlation) / (1 + correlation)
    assert side > 0.0
    assert bass_mid < mid
    return inspect_vinyl(profile(None, {(250.0, 4400.0): 10 * np.log10(side)}))


def side_of_bass(side_to_mid: float) -> list[Finding]:
    return inspect_vinyl(profile(None, {(40.0, 200.0): 10 * np.log10(side_to_mid)}))


def limited(plr_db: float) -> list[Finding]:
    made = profile()
    levels = made.levels.model_copy(update={"plr_db": plr_db, "psr_db": 6.5})
    return inspect_vinyl(made.model_copy(update={"levels": levels}))


CASES: dict[str, tuple[Case, Case]] = {
    "vinyl_side_too_long": (lambda: lasting(1441.0), lambda: lasting(1440.0)),
    "vinyl_side_quiet": (lambda: lasting(1241.0), lambda: lasting(1239.0)),
    "vinyl_out_of_phase": (lambda: correlated(-0.02), lambda: correlated(0.02)),
    "vinyl_wide": (lambda: correlated(0.48), lambda: correlated(0.52)),
    "vinyl_stereo_bass": (lambda: side_of_bass(0.51 / 1.49), lambda: side_of_bass(0.49 / 1.51)),
    "vinyl_bass_width": (lambda: side_of_bass(10**-1.98), lambda: side_of_bass(10**-2.02)),
    "vinyl_sibilance": (
        lambda: with_share((4600.0, 11200.0), -4.7),
        lambda: with_share((4600.0, 11200.0), -5.4),
    ),
    "vinyl_treble": (
        lambda: with_share((16200.0, 19500.0), -24.8),
        lambda: with_share((16200.0, 19500.0), -25.2),
    ),
    "vinyl_rumble": (lambda: with_share((22.0, 38.0), -7.8), lambda: with_share((22.0, 38.0), -8.2)),
    "vinyl_limited": (lambda: limited(8.9), lambda: limited(9.1)),
}


@pytest.mark.parametrize("code", CASES)
def test_found_beyond_the_limit_and_not_inside(code: str) -> None:
    provoked, near_miss = ([f for f in case() if f.code == code] for case in CASES[code])
    assert near_miss == []
    (finding,) = provoked
    assert finding.value is not None
    assert finding.limit is not None


def test_music_made_for_vinyl_has_no_finding() -> None:
    assert inspect_vinyl(profile()) == []


def test_twenty_six_minutes_on_a_side_say_the_numbers() -> None:
    (finding,) = lasting(26 * 60.0)
    assert (finding.severity, finding.code) == ("warning", "vinyl_side_too_long")
    assert (finding.value, finding.limit, finding.unit) == (1560.0, 1440.0, "s")
    assert "26:00 on a 12-inch side at 33 rpm: at most 24:00" in finding.message
    assert "4.5 dB quieter" in finding.message  # the chart: 0 dB at 20 minutes, -3 at 24, -6 at 28


@pytest.mark.parametrize(
    ("size", "speed", "most_s"), [(12, 33, 1440.0), (12, 45, 870.0), (7, 33, 420.0), (7, 45, 300.0)]
)
def test_every_size_has_its_limit(size: int, speed: int, most_s: float) -> None:
    (finding,) = lasting(most_s + 1.0, size_inch=size, speed_rpm=speed)
    assert (finding.code, finding.limit) == ("vinyl_side_too_long", most_s)
    assert "vinyl_side_too_long" not in {f.code for f in lasting(most_s, size_inch=size, speed_rpm=speed)}


def test_songs_of_a_side_are_added_up_and_named() -> None:
    song = profile(None, {(40.0, 200.0): 0.0})
    source = song.source.model_copy(update={"duration_s": 800.0, "file": "b.wav"})
    other = song.model_copy(update={"source": source})
    first = profile()
    first = first.model_copy(update={"source": first.source.model_copy(update={"duration_s": 800.0})})
    length, *sound = judge_vinyl([first, other])
    assert (length.code, length.value) == ("vinyl_side_too_long", 1600.0)
    assert {f.code for f in sound} == {"vinyl_stereo_bass", "vinyl_wide"}
    assert all("b.wav" in f.message for f in sound)


def test_longer_sides_are_never_cut_louder() -> None:
    for side in vinyl_table().sides:
        costs = [side.cost_db(side.best_s * share) for share in np.linspace(0.1, 3.0, 60)]
        assert costs[0] == 0.0
        assert all(b >= a for a, b in itertools.pairwise(costs))
        assert costs[-1] > 3.0


def test_an_unknown_side_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="12 inch at 33 rpm, .*; found 12 inch at 78 rpm"):
        vinyl_side(12, 78)


def test_the_mono_filter_answers_the_warning() -> None:
    samples = stereo(MUSIC, {(40.0, 200.0): 0.0, (250.0, 4400.0): -15.0})
    mix = measure(ArraySource(samples, RATE_HZ))
    assert "vinyl_stereo_bass" in {f.code for f in inspect_vinyl(mix)}
    settings = MatchSettings(loudness=False, mono_below_hz=250.0)
    plan = derive_plan(mix, [], settings)
    plan = plan.model_copy(update={"limiter": plan.limiter.model_copy(update={"enabled": False})})
    rendered = np.concatenate(list(Renderer(plan, ArraySource(samples, RATE_HZ)).blocks()))
    assert inspect_vinyl(measure(ArraySource(rendered, RATE_HZ))) == []


def test_silence_and_mono_have_nothing_to_say() -> None:
    silent = measure(ArraySource(np.zeros((RATE_HZ, 2)), RATE_HZ))
    assert inspect_vinyl(silent) == []
    assert inspect_vinyl(measure(ArraySource(stereo(MUSIC, MUSIC)[:, :1], RATE_HZ))) == []
