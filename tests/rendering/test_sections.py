"""A plan with sections, rendered: who gets what, when, and at no cost where nothing is asked."""

import numpy as np
import pytest

from refmaster.errors import SettingsError
from refmaster.io.source import ArraySource
from refmaster.matching.derive import derive_plan
from refmaster.plan import MasteringPlan, format_plan, load_plan
from refmaster.profile.measure import measure
from refmaster.rendering.renderer import KeptBlocks, Renderer
from refmaster.settings.document import parse_document
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import validate_document
from refmaster.settings.moves import ToneMove
from refmaster.settings.sections import SectionKind, Sections

RATE_HZ = 22050
SECONDS = 12
NOISE = (0.05 * np.random.default_rng(11).standard_normal((SECONDS * RATE_HZ, 2))).astype(np.float32)


def source(samples=NOISE):
    return ArraySource(samples, RATE_HZ, name="mix")


@pytest.fixture(scope="module")
def at_rest():
    settings = MatchSettings(tone=False, side=False, balance=False, loudness=False)
    plan = derive_plan(measure(source()), [], settings)
    return plan.model_copy(update={"limiter": plan.limiter.model_copy(update={"enabled": False})})


def kind(name, gain_db, width_db=0.0):
    return SectionKind(name=name, mid=((1000.0, gain_db),), width=((1000.0, width_db),))


def with_sections(plan, *kinds, spans, crossfade_s=1.0, **tone):
    sections = Sections(why="by hand", crossfade_s=crossfade_s, kinds=kinds, spans=spans)
    return plan.model_copy(update={"sections": sections, "tone": plan.tone.model_copy(update=tone)})


def rendered(plan, samples=NOISE, kept=None):
    return np.concatenate(list(Renderer(plan, source(samples), kept).blocks()))


def gain_db(plan, start_s, end_s, column=slice(None)):
    part = slice(round(start_s * RATE_HZ), round(end_s * RATE_HZ))
    before, after = NOISE[part, column], rendered(plan)[part, column]
    return 10 * np.log10(np.mean(after.astype(float) ** 2) / np.mean(before.astype(float) ** 2))


def test_a_span_gets_its_kind_on_top_of_the_tone(at_rest):
    plan = with_sections(at_rest, kind("loud", 3.0), spans=((4.0, 8.0, "loud"),), mid=((1000.0, -2.0),))
    for start, end, expected in ((0, 3.4, -2.0), (4.6, 7.4, 1.0), (8.6, 12, -2.0)):
        assert gain_db(plan, start, end) == pytest.approx(expected, abs=1e-3)


def test_the_first_and_the_last_span_have_no_fade_at_the_ends(at_rest):
    plan = with_sections(
        at_rest, kind("quiet", 3.0), kind("loud", 6.0), spans=((0.0, 6.0, "quiet"), (6.0, 12.0, "loud"))
    )
    assert gain_db(plan, 0.0, 0.1) == pytest.approx(3.0, abs=1e-3)
    assert gain_db(plan, 11.9, 12.0) == pytest.approx(6.0, abs=1e-3)
    assert 3.5 < gain_db(plan, 5.9, 6.1) < 5.5


def test_mid_and_side_have_their_own(at_rest):
    plan = with_sections(at_rest, kind("wide", 0.0, 6.0), spans=((0.0, 12.0, "wide"),))
    after = rendered(plan)
    np.testing.assert_allclose(after.sum(axis=1), NOISE.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(np.diff(after), np.diff(NOISE) * 10 ** (6 / 20), atol=1e-5)


def test_moves_of_a_kind_stand_on_top(at_rest):
    air = SectionKind(name="solo", moves=(ToneMove(hz=10.0, db=4.0, kind="high_shelf"),))
    plan = with_sections(at_rest, air, spans=((0.0, 12.0, "solo"),), mid=((1000.0, -1.0),))
    assert gain_db(plan, 1.0, 11.0) == pytest.approx(3.0, abs=0.05)


def test_rows_that_were_deleted_are_none(at_rest, tmp_path):
    plan = with_sections(at_rest, kind("loud", 3.0), spans=((0.0, 2.0, "loud"),))
    text = format_plan(plan).replace("  - [0.0, 2.0, loud]", "").replace("    - [1000.0, 3.0]", "")
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    edited = load_plan(tmp_path / "plan.yaml")
    assert edited.sections.spans == edited.sections.kinds[0].mid == ()


@pytest.mark.parametrize("phase", ["linear", "minimum"])
def test_there_is_no_latency(at_rest, phase):
    clicks = np.zeros((SECONDS * RATE_HZ, 2), np.float32)
    clicks[:: RATE_HZ // 2] = 0.5
    shelf = SectionKind(name="loud", mid=((500.0, 0.0), (2000.0, 4.0)))
    plan = with_sections(at_rest, shelf, spans=((3.0, 9.0, "loud"),), phase=phase)
    after = rendered(plan, clicks)
    assert len(after) == len(clicks)
    highest = np.abs(after[:, 0]).reshape(-1, RATE_HZ // 2).argmax(axis=1)
    np.testing.assert_array_equal(highest, 0)


def test_a_steady_tone_has_no_step(at_rest):
    """What a step or a click would add to a sine while the gain moves."""
    time = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    sine = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[:, None].repeat(2, axis=1)
    plan = with_sections(
        at_rest, kind("quiet", 0.0), kind("loud", 6.0), spans=((0.0, 6.0, "quiet"), (6.0, 12.0, "loud"))
    )
    moving = rendered(plan, sine)[round(5.0 * RATE_HZ) : round(7.0 * RATE_HZ), 0].astype(float)
    spectrum = np.abs(np.fft.rfft(moving * np.blackman(len(moving))))
    hz = np.fft.rfftfreq(len(moving), 1 / RATE_HZ)
    beside = spectrum[(np.abs(hz - 440) > 20) & (hz > 20)].max()
    assert 20 * np.log10(beside / spectrum.max()) < -100


@pytest.mark.parametrize("spans", [(), ((0.0, 12.0, "flat"),)])
def test_sections_at_rest_return_the_mix_bit_for_bit(at_rest, spans):
    plan = with_sections(at_rest, kind("flat", 0.0), kind("never played", 6.0), spans=spans)
    assert plan.is_identity
    np.testing.assert_array_equal(rendered(plan), NOISE)
    assert not with_sections(at_rest, kind("loud", 0.1), spans=((0.0, 1.0, "loud"),)).is_identity


def test_what_was_kept_is_not_taken_for_other_sections(at_rest):
    kept = KeptBlocks()
    for gain in (3.0, 6.0):
        plan = with_sections(at_rest, kind("loud", gain), spans=((0.0, 12.0, "loud"),))
        np.testing.assert_array_equal(rendered(plan, kept=kept), rendered(plan))


def test_sections_are_written_and_read_back(at_rest):
    plan = with_sections(at_rest, kind("verse, soft: 1", 3.0), spans=((0.5, 7.25, "verse, soft: 1"),))
    text = format_plan(plan)
    assert '- [0.5, 7.25, "verse, soft: 1"]' in text
    assert validate_document(MasteringPlan, parse_document(text, name="plan.yaml")) == plan


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        (((0.0, 2.0, "other"),), "expected one of the kinds .loud., found other"),
        (((0.0, 2.0, "loud"), (1.9, 3.0, "loud")), "found 1.9 to 3 s after 2 s"),
        (((2.0, 2.0, "loud"),), "found 2 to 2 s"),
    ],
)
def test_spans_that_make_no_sense_are_refused(spans, message):
    with pytest.raises(SettingsError, match=message):
        Sections(why="", crossfade_s=1.0, kinds=(kind("loud", 1.0),), spans=spans)


def test_names_are_used_once():
    with pytest.raises(SettingsError, match="a name of its own"):
        Sections(why="", crossfade_s=1.0, kinds=(kind("loud", 1.0), kind("loud", 2.0)), spans=())
