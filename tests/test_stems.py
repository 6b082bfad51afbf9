"""Stems: their sum as a source, what is derived for each, and plans that render them again."""

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from refmaster import AudioError, OutputError, SettingsError, Stems, master_file, open_audio, plan_file
from refmaster import render_file as render
from refmaster.dsp.curves import curve_at
from refmaster.dsp.fir import design_linear_phase
from refmaster.io.metadata.copy import read_fields
from refmaster.io.source import ArraySource
from refmaster.matching.stems import MAX_STEM_GAIN_DB, derive_stems
from refmaster.plan import format_plan, load_plan, save_plan
from refmaster.profile.measure import measure
from refmaster.rendering.stem_sum import StemSum
from refmaster.settings.match import MatchSettings

RATE = 48000
CURVE = ((100.0, 3.0), (1000.0, 0.0), (8000.0, -2.0))


@pytest.fixture(scope="module")
def split(short_example, tmp_path_factory):
    """Return a folder with the example mix as two stems that sum to it to the bit."""
    folder = tmp_path_factory.mktemp("stems")
    mix, _ = sf.read(short_example / "mix.wav", dtype="int16")
    low = np.round(sosfilt(butter(2, 400, fs=RATE, output="sos"), mix, axis=0)).astype(np.int16)
    sf.write(folder / "low.wav", low, RATE, "PCM_16")
    sf.write(folder / "high.wav", mix - low, RATE, "PCM_16")
    return folder


def opened(folder, *names):
    return [open_audio(folder / f"{name}.wav") for name in names]


def whole(source, block_frames=65536):
    return np.concatenate(list(source.blocks(block_frames)))


@pytest.mark.parametrize("block_frames", [65536, 4097, 200000, 300000])
def test_stems_at_rest_are_the_sum_to_the_bit(split, short_example, block_frames):
    stems = StemSum(opened(split, "low", "high"))
    mix = whole(open_audio(short_example / "mix.wav"))
    assert np.array_equal(whole(stems, block_frames), mix)
    assert {len(block) for block in list(stems.blocks(block_frames))[:-1]} <= {block_frames}


@pytest.mark.parametrize("phase", ["linear", "minimum"])
def test_blocks_of_any_length_give_the_same_sum_behind_an_equalizer(split, phase):
    stems = StemSum(opened(split, "low", "high"), [(), CURVE], phase)
    once = whole(stems, 240000)
    for block_frames in (65536, 4097, 300001):
        assert np.array_equal(whole(stems, block_frames), once)


def test_each_stem_is_behind_its_own_equalizer_without_latency(split):
    low, high = (whole(source) for source in opened(split, "low", "high"))
    taps = design_linear_phase(*zip(*CURVE, strict=True), RATE)
    expected = low + fftconvolve(high, taps[:, None], mode="same", axes=0)
    found = whole(StemSum(opened(split, "low", "high"), [(), CURVE]))
    assert found.shape == low.shape
    assert np.abs(found - expected).max() < 1e-5


def test_a_mono_stem_is_in_the_centre():
    rng = np.random.default_rng(1)
    mono, stereo = rng.normal(0, 0.1, (9000, 1)), rng.normal(0, 0.1, (9000, 2))
    found = StemSum([ArraySource(mono, RATE), ArraySource(stereo, RATE)])
    assert found.format.channels == 2
    assert np.array_equal(whole(found), mono + stereo)


def test_the_meter_reads_the_sum_as_the_profile_does(split, short_example):
    profile = measure(short_example / "mix.wav")
    powers = StemSum(opened(split, "low", "high")).measured()
    found = 10 * np.log10(powers[:, 0])
    assert found.shape == np.shape(profile.evidence.segment_mid_db)
    assert np.abs(found - profile.evidence.segment_mid_db).max() < 0.1
    crossing = powers[:, 1, 8] / powers[:, 2, 8]  # 125 Hz is the low stem's
    assert (crossing > 3.0).all()


@pytest.mark.parametrize(
    ("shape", "rate", "said"),
    [
        ((47999, 2), RATE, "47999 frames"),
        ((48000, 2), 44100, "44100 Hz"),
        ((48000, 3), RATE, "3 channels"),
    ],
)
def test_stems_that_are_not_aligned_are_one_error_that_names_them_all(shape, rate, said):
    good = [ArraySource(np.ones((48000, 2)) * 0.1, RATE, name=name) for name in ("a.wav", "b.wav")]
    other = ArraySource(np.ones(shape) * 0.1, rate, name="c.wav")
    StemSum(good)
    with pytest.raises(AudioError) as caught:
        StemSum([*good, other])
    message = str(caught.value)
    assert said in message
    assert all(name in message for name in ("a.wav", "b.wav", "c.wav"))


@pytest.mark.parametrize("files", [[], ["a.wav"], ["a.wav", "b.wav", "a.wav"]])
def test_one_stem_or_one_twice_is_refused(files):
    with pytest.raises(SettingsError, match=r"^stems: expected"):
        Stems(files)


def test_a_plan_of_stems_renders_to_the_same_bytes(split, short_example, tmp_path):
    stems = Stems([split / "low.wav", split / "high.wav"])
    tags = {"title": "Of stems"}  # there is no mix whose tags could be kept
    result = master_file(stems, short_example / "reference.wav", tmp_path / "one.wav", tags=tags)
    assert read_fields(tmp_path / "one.wav") == {"title": ["Of stems"]}
    assert result.kept_promises
    save_plan(result.plan, tmp_path / "plan.yaml")
    loaded = load_plan(tmp_path / "plan.yaml")
    assert [stem.mid for stem in loaded.stems] == [stem.mid for stem in result.plan.stems]
    assert loaded.edited == ()
    render(tmp_path / "plan.yaml", tmp_path / "two.wav")
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


def test_an_edited_stem_is_heard_and_said(split, short_example, tmp_path):
    stems = Stems([split / "low.wav", split / "high.wav"])
    plan = plan_file(stems, short_example / "reference.wav").plan
    first, second = plan.stems
    edited = plan.model_copy(update={"stems": (first, second.model_copy(update={"mid": CURVE}))})
    assert edited.edited == ("tone", "level")
    render(plan, tmp_path / "as.wav")
    render(edited, tmp_path / "edited.wav")
    assert (tmp_path / "as.wav").read_bytes() != (tmp_path / "edited.wav").read_bytes()


def test_another_file_in_the_place_of_a_stem_is_refused(split, short_example, tmp_path):
    for name in ("low.wav", "high.wav"):
        (tmp_path / name).write_bytes((split / name).read_bytes())
    stems = Stems([tmp_path / "low.wav", tmp_path / "high.wav"])
    plan = plan_file(stems, short_example / "reference.wav").plan
    (tmp_path / "high.wav").write_bytes((split / "low.wav").read_bytes())
    with pytest.raises(AudioError, match="high.wav: expected the stem that the plan was made for"):
        render(plan, tmp_path / "master.wav")
    (tmp_path / "high.wav").unlink()
    with pytest.raises(AudioError, match="high.wav: no such file"):
        render(plan, tmp_path / "master.wav")


def test_the_master_is_not_written_over_a_stem(split, short_example):
    before = (split / "low.wav").read_bytes()
    stems = Stems([split / "low.wav", split / "high.wav"])
    with pytest.raises(OutputError):
        master_file(stems, short_example / "reference.wav", split / "low.wav", overwrite=True)
    assert (split / "low.wav").read_bytes() == before


def test_stems_are_mastered_by_refmaster_itself_only(split, short_example):
    with pytest.raises(SettingsError, match="expected refmaster for stems"):
        plan_file(
            Stems([split / "low.wav", split / "high.wav"]),
            short_example / "reference.wav",
            MatchSettings(engine="matchering"),
        )


def test_without_stems_the_plan_says_nothing_of_them(short_example):
    plan = plan_file(short_example / "mix.wav", short_example / "reference.wav").plan
    assert "stems" not in format_plan(plan)


SHELF_DB = 4.0


def played(seed=3, seconds=20):
    """Return three stems that play by turns, each with a spectrum of its own, shape (3, frames)."""
    rng = np.random.default_rng(seed)
    frames = seconds * RATE
    noise = rng.normal(0, 0.05, (3, frames))
    filters = [
        butter(1, 300, fs=RATE),
        butter(1, (200, 4000), "band", fs=RATE),
        butter(1, 1000, "high", fs=RATE),
    ]
    turns = 2.0 ** rng.normal(0, 2.0, (3, seconds))
    return np.array(
        [lfilter(*f, row) * np.repeat(turn, RATE) for f, row, turn in zip(filters, noise, turns, strict=True)]
    )


def shelved(stem, db):
    """Return a stem with everything above about 3 kHz raised by `db`."""
    b, a = butter(1, 3000, "high", fs=RATE)
    return stem + (10 ** (db / 20) - 1) * lfilter(b, a, stem)


def derived(stems, reference, **settings):
    source = StemSum([ArraySource(stem, RATE, name=str(i)) for i, stem in enumerate(stems)])
    found = derive_stems(
        source.measured(), measure(source), [(measure(ArraySource(reference, RATE)), 1.0)],
        MatchSettings(**settings),
    )  # fmt: skip
    return found, [curve_at(curve.points, np.array([100.0, 1000.0, 10000.0])) for curve in found.curves]


@pytest.mark.parametrize("guilty", [1, 2])
@pytest.mark.parametrize("db", [SHELF_DB, -SHELF_DB])
def test_the_stem_that_differs_is_found_and_the_others_are_left_alone(guilty, db):
    original = played()
    made = original.copy()
    made[guilty] = shelved(made[guilty], db)
    _, curves = derived(made, original.sum(axis=0))
    moved = [curve[2] - curve[0] for curve in curves]
    assert moved[guilty] == pytest.approx(-db, abs=1.6)
    for other in {0, 1, 2} - {guilty}:
        assert np.abs(curves[other]).max() < 0.5


def test_no_stem_is_moved_further_than_the_limit():
    original = played()
    made = original.copy()
    made[2] = shelved(made[2], 12.0)
    found, _ = derived(made, original.sum(axis=0))
    gains = np.array([gain for _, gain in found.curves[2].points])
    assert MAX_STEM_GAIN_DB - 0.5 < np.abs(gains).max() <= MAX_STEM_GAIN_DB


@pytest.mark.parametrize("settings", [{"strength": 0}, {"tone": False}])
def test_stems_are_left_alone_where_no_tone_is_asked(settings):
    original = played()
    made = original.copy()
    made[1] = shelved(made[1], SHELF_DB)
    found, _ = derived(made, original.sum(axis=0), **settings)
    assert all(curve.points == () for curve in found.curves)


def test_half_of_the_evidence_is_half_of_the_curve():
    original = played()
    made = original.copy()
    made[2] = shelved(made[2], 3.0)
    _, all_of_it = derived(made, original.sum(axis=0), strength="evidence")
    _, half = derived(made, original.sum(axis=0), strength=12.5)
    assert half[2] == pytest.approx(0.5 * all_of_it[2], abs=0.02)


def test_stems_that_make_up_the_reference_are_left_alone():
    original = played()
    found, _ = derived(original, original.sum(axis=0))
    assert all(curve.points == () for curve in found.curves)
    assert all(curve.why.startswith("left alone") for curve in found.curves)


def test_stems_are_left_alone_where_the_reference_is_other_music(split, fixture_path):
    source = StemSum(opened(split, "low", "high"))
    other = measure(fixture_path("album/potassium.flac"))
    found = derive_stems(source.measured(), measure(source), [(other, 1.0)], MatchSettings(strength="full"))
    assert all(curve.points == () for curve in found.curves)
