"""Impulse responses are the render's equalizer; texts become a plan's."""

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import fftconvolve

from refmaster.dsp.curves import curve_at
from refmaster.errors import OutputError, SettingsError
from refmaster.io.source import ArraySource
from refmaster.plan import load_plan, save_plan
from refmaster.profile.bands import BANDS_HZ, JUDGED_THIRDS, THIRDS_HZ
from refmaster.rendering.renderer import Renderer
from refmaster.settings.moves import ToneMove
from refmaster.settings.sections import SectionKind, Sections
from refmaster.takeaway.files import export_curve, import_curve
from refmaster.takeaway.total import total_points

FRAMES = 30000


def rendered(plan, samples):
    return np.concatenate(list(Renderer(plan, ArraySource(samples, plan.mix.sample_rate_hz)).blocks()))


def convolved(samples, response):
    """Convolve as the channels are ordered: one each, or left and right to left and right."""
    columns = samples.T
    if response.shape[1] < 4:
        return np.column_stack([fftconvolve(c, r) for c, r in zip(columns, response.T, strict=True)])
    ll, lr, rl, rr = response.T
    left, right = columns
    return np.column_stack(
        [fftconvolve(left, ll) + fftconvolve(right, rl), fftconvolve(left, lr) + fftconvolve(right, rr)]
    )


@pytest.mark.parametrize("phase", ["linear", "minimum"])
@pytest.mark.parametrize(
    ("channels", "names"),
    [
        (1, ("mono",)),
        (2, ("left", "right")),
        (4, ("left to left", "left to right", "right to left", "right to right")),
    ],
)
def test_convolution_is_the_render(make_plan, tmp_path, rng, phase, channels, names):
    moves = (ToneMove(hz=700.0, db=3.0, q=4.0),)
    if channels == 4:
        plan = make_plan(moves=(*moves, ToneMove(hz=5000.0, db=2.0, kind="high_shelf", on="side")))
    else:
        mid = make_plan().tone.mid
        plan = make_plan(mid, mid, moves=moves, channels=channels)
    samples = rng.uniform(-0.5, 0.5, (FRAMES, min(channels, 2)))
    written = export_curve(plan, tmp_path / "eq.wav", phase=phase)
    response, rate = sf.read(tmp_path / "eq.wav", always_2d=True)
    assert (written.channels, written.sample_rate_hz, rate) == (names, 48000, 48000)
    assert written.delay_frames == ((len(response) - 1) // 2 if phase == "linear" else 0)
    plan = plan.model_copy(update={"tone": plan.tone.model_copy(update={"phase": phase})})
    wanted = rendered(plan, samples)
    found = convolved(samples, response)[written.delay_frames :][:FRAMES]
    residual_db = 10 * np.log10(np.mean((found - wanted) ** 2) / np.mean(wanted**2))
    assert residual_db < -100.0


def test_the_phase_is_the_plans_unless_asked_for(make_plan, tmp_path):
    assert export_curve(make_plan(phase="minimum"), tmp_path / "a.wav").delay_frames == 0
    assert export_curve(make_plan(phase="minimum"), tmp_path / "b.wav", phase="linear").delay_frames == 8192


@pytest.mark.parametrize("part", ["mid", "side"])
def test_one_part_at_another_rate_has_its_gain(make_plan, tmp_path, part):
    plan = make_plan()
    written = export_curve(plan, tmp_path / "eq.wav", part=part, sample_rate_hz=96000)
    response, rate = sf.read(tmp_path / "eq.wav", always_2d=True)
    assert (written.parts, response.shape[1], rate) == ((part,), 1, 96000)
    hz = np.fft.rfftfreq(1 << 18, 1 / rate)[200:]
    gain = 20 * np.log10(np.abs(np.fft.rfft(response[:, 0], 1 << 18)[200:]))
    np.testing.assert_allclose(gain, curve_at(total_points(plan.tone, part, rate), hz), atol=0.3)


@pytest.mark.parametrize("side", [(), ((1000.0, 0.0),)])
def test_no_equalizer_is_a_unit_impulse(make_plan, tmp_path, side):
    export_curve(make_plan((), side), tmp_path / "eq.wav", phase="minimum")
    response = sf.read(tmp_path / "eq.wav")[0]
    assert response.shape[1] == 2
    assert np.all(response[0] == 1.0)
    assert not response[1:].any()


def test_the_same_bytes_each_time(make_plan, tmp_path):
    for name in ("eq.wav", "eq.txt"):
        more = {} if name == "eq.wav" else {"bands": 5}
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir(exist_ok=True)
            export_curve(make_plan(), tmp_path / folder / name, **more)
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_text_becomes_the_equalizer_of_a_plan(make_plan, tmp_path, monkeypatch):
    (tmp_path / "plans").mkdir()
    (tmp_path / "edited").mkdir()
    monkeypatch.chdir(tmp_path)
    plan = make_plan()
    save_plan(plan, "plans/plan.yaml")
    export_curve("plans/plan.yaml", "eq.txt")
    save_plan(make_plan((), ()), "plans/flat.yaml")
    import_curve("eq.txt", "plans/flat.yaml", "edited/plan.yaml")
    edited = load_plan("edited/plan.yaml")
    assert edited.mix.file == "../mix.wav"  # as the plan in another folder named it
    at = np.geomspace(20.0, 20000.0, 500)
    for part in ("mid", "side"):
        found, wanted = (curve_at(total_points(p.tone, part, 48000), at) for p in (edited, plan))
        np.testing.assert_allclose(found, wanted, atol=0.05)
    assert edited.tone.why == "the curve is that of eq.txt"
    gain = curve_at(plan.tone.mid, THIRDS_HZ[JUDGED_THIRDS & (THIRDS_HZ > 40.0)])
    assert edited.tone.applied_db == pytest.approx(gain.std(), abs=0.01)
    assert "tone" not in edited.edited  # so that a render says why it is as it is
    rest = {"tone", "mix", "derived"}
    assert edited.model_dump(exclude=rest) == plan.model_dump(exclude=rest)


@pytest.mark.parametrize(("part", "other"), [("mid", "side"), ("side", "mid")])
def test_one_part_of_a_text_leaves_the_other_and_its_moves(make_plan, tmp_path, part, other):
    (tmp_path / "eq.txt").write_text("100 1\n1000 2\n")
    moves = [ToneMove(hz=300.0, db=3.0), ToneMove(hz=4000.0, db=2.0, on="mid")]
    plan = make_plan(moves=(*moves, ToneMove(hz=9000.0, db=-2.0, on="side")))
    edited = import_curve(tmp_path / "eq.txt", plan, tmp_path / "edited.yaml", part=part)
    for found in (edited, load_plan(tmp_path / "edited.yaml")):
        taken, kept = (curve_at(total_points(found.tone, name, 48000), BANDS_HZ) for name in (part, other))
        before = curve_at(total_points(plan.tone, other, 48000), BANDS_HZ)
        np.testing.assert_allclose(taken, curve_at(((100.0, 1.0), (1000.0, 2.0)), BANDS_HZ), atol=1e-4)
        np.testing.assert_allclose(kept, before, atol=1e-4)
    assert edited.tone.why == f"the curve of the {part} is that of eq.txt"


def test_a_mono_plan_takes_no_side(make_plan, tmp_path):
    (tmp_path / "eq.txt").write_text("100 1\n1000 2\n")
    plan = make_plan(side=(), channels=1)
    assert import_curve(tmp_path / "eq.txt", plan, tmp_path / "plan.yaml").tone.width == ()
    for call in (
        lambda: import_curve(tmp_path / "eq.txt", plan, tmp_path / "p.yaml", part="side"),
        lambda: export_curve(plan, tmp_path / "side.wav", part="side"),
    ):
        with pytest.raises(SettingsError, match="a mono mix, which has no side"):
            call()
    assert not (tmp_path / "p.yaml").exists()


def test_what_is_not_taken_along_is_said(make_plan, tmp_path):
    plan = make_plan()
    assert export_curve(plan, tmp_path / "a.txt").left_out == ()
    loud = plan.model_copy(
        update={
            "level": plan.level.model_copy(update={"gain_db": 4.5}),
            "limiter": plan.limiter.model_copy(update={"enabled": True}),
            "balance": plan.balance.model_copy(update={"left_over_right_db": -0.5}),
            "sections": Sections(
                kinds=(SectionKind(name="loud", mid=((100.0, 1.0),)),), spans=((1.0, 2.0, "loud"),)
            ),
        }
    )
    assert export_curve(loud, tmp_path / "b.txt").left_out == (
        "what sections add (loud)",
        "balance -0.50 dB, left over right",
        "gain +4.50 dB",
        "limiter at -1 dBTP",
    )


def test_an_existing_file_stays_unless_it_may_go(make_plan, tmp_path):
    for name in ("eq.wav", "eq.txt"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match="exists already"):
            export_curve(make_plan(), tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
        export_curve(make_plan(), tmp_path / name, overwrite=True)
        assert (tmp_path / name).read_bytes() != b"mine"
