"""The side removed below a frequency: response, latency, blocks, and every door that it goes through."""

import numpy as np
import pytest
import soundfile as sf

from refmaster import ArraySource, MatchSettings, export_curve, import_curve, master_file, measure
from refmaster.dsp.curves import curve_at
from refmaster.errors import SettingsError
from refmaster.matching.derive import derive_plan
from refmaster.plan import format_plan, load_plan, save_plan
from refmaster.rendering.renderer import Renderer
from refmaster.settings.moves import ToneMove
from refmaster.settings.sections import SectionKind, Sections
from refmaster.takeaway.total import total_points

RATE_HZ = 48000
FRAMES = 1 << 16
MIDDLE = FRAMES // 2


def plan_of(hz, *, rate=RATE_HZ, channels=2, phase="linear", mid=(), width=(), moves=()):
    """A plan with nothing but the equalizer."""
    mix = measure(
        ArraySource(np.full((rate, channels), 0.1) * np.sign(np.arange(rate) % 2 - 0.5)[:, None], rate)
    )
    plan = derive_plan(mix, [], MatchSettings(loudness=False, phase=phase, mono_below_hz=hz))
    tone = plan.tone.model_copy(update={"mid": mid, "width": width, "moves": moves})
    limiter = plan.limiter.model_copy(update={"enabled": False})
    return plan.model_copy(update={"tone": tone, "limiter": limiter})


def rendered(plan, samples, block_frames=None):
    source = ArraySource(samples, plan.mix.sample_rate_hz)
    if block_frames is not None:
        whole = source.blocks
        source.blocks = lambda _=None: whole(block_frames)
    return np.concatenate(list(Renderer(plan, source).blocks()))


def impulses(plan):
    """The responses of mid and side, of an impulse in the middle."""
    responses = []
    for polarity in (1.0, -1.0):
        samples = np.zeros((FRAMES, 2))
        samples[MIDDLE] = 1.0, polarity
        responses.append(rendered(plan, samples)[:, 0])
    return responses


def gain_db(response, hz):
    found = 20 * np.log10(np.abs(np.fft.rfft(response)) + 1e-12)
    return np.interp(hz, np.fft.rfftfreq(FRAMES, 1 / RATE_HZ), found)


@pytest.mark.parametrize("phase", ["linear", "minimum"])
@pytest.mark.parametrize("hz", [40.0, 100.0, 250.0, 500.0])
def test_the_side_is_gone_an_octave_below_and_untouched_above(hz, phase):
    mid, side = impulses(plan_of(hz, phase=phase))
    below = np.geomspace(max(hz / 8, 3.0), hz / 2, 100)
    assert gain_db(side, below).max() < -45.0
    assert gain_db(side, hz) == pytest.approx(-3.01, abs=0.1)
    above = np.geomspace(1.5 * hz, 20000.0, 300)
    assert np.abs(gain_db(side, above)).max() < 0.02
    assert np.abs(gain_db(mid, np.geomspace(20.0, 20000.0, 300))).max() < 0.001


def test_there_is_no_latency():
    mid, side = impulses(plan_of(250.0))
    assert np.argmax(np.abs(mid)) == np.argmax(np.abs(side)) == MIDDLE
    np.testing.assert_allclose(side[MIDDLE - 8000 : MIDDLE], side[MIDDLE + 8000 : MIDDLE : -1], atol=1e-9)


@pytest.mark.parametrize("block_frames", [1000, 4096, 65537])
def test_blocks_do_not_matter(rng, block_frames):
    samples = rng.uniform(-0.5, 0.5, (150000, 2)).astype(np.float32)
    plan = plan_of(250.0, mid=((100.0, 2.0), (1000.0, -1.0)))
    np.testing.assert_array_equal(rendered(plan, samples, block_frames), rendered(plan, samples))


def test_it_acts_on_the_curves_and_moves_that_there_are():
    moves = (ToneMove(hz=3000.0, db=4.0, q=1.0, on="side"),)
    mid, width = ((60.0, 3.0), (1000.0, -2.0)), ((500.0, 0.0), (8000.0, 2.0))
    plan = plan_of(200.0, mid=mid, width=width, moves=moves)
    found_mid, found_side = impulses(plan)
    hz = np.geomspace(300.0, 15000.0, 200)
    plain = plan.model_copy(update={"tone": plan.tone.model_copy(update={"mono_below_hz": None})})
    without_mid, without_side = impulses(plain)
    np.testing.assert_allclose(gain_db(found_mid, hz), gain_db(without_mid, hz), atol=1e-6)
    np.testing.assert_allclose(gain_db(found_side, hz), gain_db(without_side, hz), atol=0.02)
    assert gain_db(found_side, 100.0) < gain_db(without_side, 100.0) - 45.0


def test_it_acts_in_every_section(rng):
    sections = Sections(
        why="",
        kinds=(SectionKind(name="loud", mid=((1000.0, 2.0),)),),
        spans=((0.5, 1.0, "loud"),),
        crossfade_s=0.1,
    )
    plan = plan_of(250.0)
    plan = plan.model_copy(update={"sections": sections})
    low = np.sin(2 * np.pi * 80.0 * np.arange(2 * RATE_HZ) / RATE_HZ) * 0.3
    heard = rendered(plan, np.column_stack([low, -low]))
    assert np.abs(heard[RATE_HZ // 4 : -RATE_HZ // 4]).max() < 0.3 * 10 ** (-45 / 20)


def test_mono_stays_as_it_is(rng):
    single = rng.uniform(-0.5, 0.5, (50000, 1)).astype(np.float32)
    plan = plan_of(250.0, channels=1)
    assert plan.tone.mono_below_hz is None
    np.testing.assert_array_equal(rendered(plan, single), single)
    edited = plan.model_copy(update={"tone": plan.tone.model_copy(update={"mono_below_hz": 250.0})})
    np.testing.assert_array_equal(rendered(edited, single), single)
    both = np.repeat(single, 2, axis=1)
    np.testing.assert_allclose(rendered(plan_of(250.0), both), both, atol=1e-6)


def test_a_plan_says_it_and_reads_back(tmp_path):
    plan = plan_of(250.0).as_derived()
    assert not plan.is_identity
    assert "removed below 250 Hz" in plan.tone.width_why
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml").tone == plan.tone
    text = (tmp_path / "plan.yaml").read_text()
    asked, tone = text.split("\ntone:")
    (tmp_path / "edited.yaml").write_text(
        f"{asked}\ntone:{tone.replace('below_hz: 250.0', 'below_hz: 120.0')}"
    )
    edited = load_plan(tmp_path / "edited.yaml")
    assert edited.tone.mono_below_hz == 120.0
    assert "tone" in edited.edited
    assert "mono below 120 Hz" in edited.restated().tone.why
    (tmp_path / "wrong.yaml").write_text(text.replace("mono_below_hz: 250.0", "mono_below_hz: 5.0"))
    with pytest.raises(SettingsError, match=r"mono_below_hz"):
        load_plan(tmp_path / "wrong.yaml")


def test_a_plan_without_the_key_is_the_plan_that_it_was(tmp_path):
    plan = plan_of(None).as_derived()
    text = format_plan(plan)
    assert "  mono_below_hz: null" in text
    lines = [line for line in text.splitlines() if "mono_below_hz" not in line]
    (tmp_path / "old.yaml").write_text("\n".join(lines))
    old = load_plan(tmp_path / "old.yaml")
    assert old.tone == plan.tone
    assert old.edited == ()


def test_a_master_has_no_side_in_the_bass(tmp_path, short_example):
    settings = MatchSettings(mono_below_hz=250.0, balance=False)  # which would move all of it to one side
    result = master_file(
        short_example / "mix.wav", short_example / "reference.wav", tmp_path / "master.wav", settings
    )
    assert result.kept_promises
    samples, _ = sf.read(tmp_path / "master.wav")
    side = (samples[:, 0] - samples[:, 1]) * np.hanning(len(samples))
    mid = samples.sum(axis=1) * np.hanning(len(samples))
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    low = (hz > 20.0) & (hz < 125.0)
    held = [np.sum(np.abs(np.fft.rfft(part)[low]) ** 2) for part in (side, mid)]
    assert 10 * np.log10(held[0] / held[1]) < -45.0


def test_it_is_taken_away_whole_or_named(tmp_path):
    plan = plan_of(250.0, mid=((100.0, 2.0), (1000.0, -1.0)))
    written = export_curve(plan, tmp_path / "eq.wav")
    assert written.channels == ("left to left", "left to right", "right to left", "right to right")
    assert written.left_out == ()
    own, across, *_ = sf.read(tmp_path / "eq.wav")[0].T
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(own - across, FRAMES)) + 1e-12)
    hz = np.array([50.0, 100.0, 250.0, 2000.0])
    found = np.interp(hz, np.fft.rfftfreq(FRAMES, 1 / RATE_HZ), spectrum)
    wanted = curve_at(total_points(plan.tone, "side", RATE_HZ), hz)
    assert np.abs(found - wanted)[2:].max() < 0.1
    assert found[:2].max() < -45.0
    for name in ("eq.txt", "eq.frd"):
        written = export_curve(plan, tmp_path / name)
        assert written.left_out == ("mono below 250 Hz",)
        assert written.parts == ("mid",)


def test_moves_and_texts_leave_it_in_the_plan(tmp_path):
    plan = plan_of(250.0, mid=((100.0, 3.0), (1000.0, -1.0)))
    export_curve(plan, tmp_path / "moves.yaml", bands=3)
    moved = load_plan(tmp_path / "moves.yaml")
    assert moved.tone.mono_below_hz == 250.0
    assert {move.on for move in moved.tone.moves} == {"both"}
    export_curve(plan, tmp_path / "eq.txt")
    back = import_curve(tmp_path / "eq.txt", plan, tmp_path / "back.yaml")
    assert back.tone.mono_below_hz == 250.0
    assert back.tone.width == ()


def test_matchering_honours_it(tmp_path, short_example):
    settings = MatchSettings(engine="matchering", mono_below_hz=250.0)
    result = master_file(
        short_example / "mix.wav", short_example / "reference.wav", tmp_path / "master.wav", settings
    )
    assert result.plan.tone.width_why == "the side is removed below 250 Hz"
    spectrum = result.master.spectrum
    bands = np.array(spectrum.frequencies_hz) < 125.0
    side, mid = (np.sum(10 ** (np.array(db)[bands] / 10)) for db in (spectrum.side_db, spectrum.mid_db))
    assert 10 * np.log10(side / mid) < -45.0
