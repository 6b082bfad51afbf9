"""Texts of other programs: written, read back, and refused with their line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.dsp.curves import curve_at
from refmaster.errors import SettingsError
from refmaster.profile.bands import BANDS_HZ
from refmaster.settings.curves import MAX_GAIN_DB
from refmaster.settings.moves import ToneMove
from refmaster.takeaway.bands import ParametricBand, band_gains_db
from refmaster.takeaway.files import export_curve
from refmaster.takeaway.reading import MAX_CURVE_BYTES, MAX_POINTS, read_curves
from refmaster.takeaway.total import total_points


@pytest.fixture
def reading(tmp_path):
    """Return a function that reads a text, given as text or bytes."""

    def read(content, rate=48000):
        path = tmp_path / "eq.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_curves(path, sample_rate_hz=rate)

    return read


gains = st.floats(-MAX_GAIN_DB, MAX_GAIN_DB)
curves = st.dictionaries(st.floats(1.0, 100000.0), gains, min_size=1, max_size=40).map(
    lambda found: tuple(sorted({float(f"{hz:.10g}"): gain for hz, gain in found.items()}.items()))
)


@given(mid=curves, side=curves, kind=st.sampled_from(["graphiceq", "rew"]))
def test_a_text_gives_its_curve_back(tmp_path_factory, make_plan, mid, side, kind):
    path = tmp_path_factory.mktemp("texts") / "eq.txt"
    plan = make_plan(mid, side)
    for part, points in (("mid", mid), ("side", side)):
        export_curve(plan, path, format=kind, part=part, overwrite=True)
        found = read_curves(path, sample_rate_hz=48000)
        assert found["mid"] == found["side"]
        at = np.array([*(hz for hz, _ in points), *BANDS_HZ])
        np.testing.assert_allclose(curve_at(found["mid"], at), curve_at(points, at), atol=0.006)


@given(mid=curves, side=curves)
def test_mid_and_side_stand_in_one_graphiceq_text(tmp_path_factory, make_plan, mid, side):
    path = tmp_path_factory.mktemp("texts") / "eq.txt"
    export_curve(make_plan(mid, side), path)
    found = read_curves(path, sample_rate_hz=48000)
    for part, points in (("mid", mid), ("side", side)):
        np.testing.assert_allclose(curve_at(found[part], BANDS_HZ), curve_at(points, BANDS_HZ), atol=0.006)


def test_bands_read_back_have_the_gain_of_the_bands(make_plan, tmp_path):
    path = tmp_path / "eq.txt"
    written = export_curve(make_plan(), path, bands=6)
    found = read_curves(path, sample_rate_hz=48000)
    for part in ("mid", "side"):
        expected = band_gains_db(written.fits[part].bands, BANDS_HZ, 48000).sum(axis=0)
        np.testing.assert_allclose(curve_at(found[part], BANDS_HZ), expected, atol=0.01)


@pytest.mark.parametrize("kind", ["graphiceq", "rew"])
def test_moves_are_in_the_text_too(make_plan, tmp_path, kind):
    plan = make_plan(moves=(ToneMove(hz=3000.0, db=-4.0, q=5.0), ToneMove(hz=90.0, db=2.0, on="side")))
    for part in ("mid", "side"):
        export_curve(plan, tmp_path / "eq.txt", format=kind, part=part, overwrite=True)
        found = curve_at(read_curves(tmp_path / "eq.txt", sample_rate_hz=48000)[part], BANDS_HZ)
        expected = curve_at(total_points(plan.tone, part, 48000), BANDS_HZ)
        np.testing.assert_allclose(found, expected, atol=0.01)
        bell = found - curve_at(total_points(make_plan().tone, part, 48000), BANDS_HZ)
        assert bell[np.argmin(np.abs(BANDS_HZ - 3000.0))] == pytest.approx(-4.0, abs=0.1)
        assert bell[np.argmin(np.abs(BANDS_HZ - 90.0))] == pytest.approx(
            2.0 if part == "side" else 0.0, abs=0.1
        )


@pytest.mark.parametrize("more", [{}, {"bands": 4}, {"format": "rew"}])
def test_no_equalizer_at_all_is_a_text_too(make_plan, tmp_path, more):
    export_curve(make_plan((), ()), tmp_path / "eq.txt", **more)
    found = read_curves(tmp_path / "eq.txt", sample_rate_hz=48000)
    assert all(gain == 0.0 for points in found.values() for _, gain in points)


def test_texts_of_both_programs_look_as_they_take_them(make_plan, tmp_path):
    path = tmp_path / "eq.txt"
    plan = make_plan(((100.0, 1.5), (1000.0, -2.25)), ())
    export_curve(plan, path)
    _, *lines = path.read_text().splitlines()
    assert lines == [
        "Copy: MID=0.5*L+0.5*R SIDE=0.5*L+-0.5*R",
        "Channel: MID",
        "GraphicEQ: 100 1.50; 1000 -2.25",
        "Channel: SIDE",
        "GraphicEQ: 100 0.00; 1000 0.00",
        "Channel: ALL",
        "Copy: L=MID+SIDE R=MID+-1.0*SIDE",
    ]
    export_curve(plan, path, format="rew", part="mid", overwrite=True)
    head, *rows = path.read_text().splitlines()
    assert head.startswith("* mid equalizer of a plan, by refmaster")
    assert rows == ["* Freq(Hz) SPL(dB)", "100 1.500", "1000 -2.250"]
    export_curve(make_plan(((100.0, 1.5),), ((100.0, 1.5),)), path, overwrite=True)
    assert path.read_text().splitlines()[1:] == ["GraphicEQ: 100 1.50"]
    export_curve(plan, path, bands=2, part="mid", overwrite=True)
    _, fit, low, high = path.read_text().splitlines()
    assert fit.startswith("# 2 bands at 48000 Hz, ")
    assert low.startswith("Filter  1: ON  LSC  Fc ")
    assert high.startswith("Filter  2: ON  HSC  Fc ")


POINTS = ((20.0, 1.0), (50.5, -2.5), (1000.0, 0.0))


@pytest.mark.parametrize(
    "text",
    [
        "20 1\n50.5 -2.5\n1000 0\n",
        "20.0\t1.0\t180\r\n50.5\t-2.5\t0\r\n1000\t0\t-3.2\r\n",
        "20, 1\n50.5, -2.5\n1000, 0\n",
        "20,1,0\n50.5,-2.5,0\n1000,0,0\n",
        "20; 1\n50.5; -2.5\n1000; 0\n",
        "\ufeff* Measured\n\nFreq SPL\nSource: a mixing desk\n   20 1\n# in between\n50.5 -2.5\n1e3 +0",
        "GraphicEQ: 20 1; 50.5 -2.5; 1000 0",
        "# a comment\nPreamp: -1 dB\nChannel: L R\nGraphicEQ: 20 2; 50.5 -1.5; 1000 1;\n",
        "GraphicEQ: 20 1; 1000 1\nGraphicEQ: 20 0; 50.5 -3.5; 1000 -1",
        "Channel: MID\nGraphicEQ: 20 1; 50.5 -2.5; 1000 0\nChannel: SIDE\nGraphicEQ: 20 1; 50.5 -2.5; 1000 0",
    ],
)
def test_ways_of_writing_one_curve(reading, text):
    found = reading(text)
    assert found["mid"] == found["side"]
    np.testing.assert_allclose(found["mid"], POINTS, atol=0.001)


def test_filters_without_number_off_and_of_the_side_alone(reading):
    found = reading(
        "Filter Settings file\n\nEqualiser: Generic\n"
        "Filter: ON PK Fc 1.250 Hz Gain -3.0 dB Q 1.41\nFilter  2: OFF PK Fc 50 Hz Gain 9 dB Q 1\n"
        "Filter  3: ON  None\nChannel: SIDE\nFilter 4: ON LSC Fc 100 Hz Gain 2 dB Q 0.71\n"
    )
    bell = ParametricBand(kind="bell", hz=1250.0, gain_db=-3.0, q=1.41)
    shelf = ParametricBand(kind="low_shelf", hz=100.0, gain_db=2.0, q=0.71)
    for part, bands in (("mid", [bell]), ("side", [bell, shelf])):
        expected = band_gains_db(bands, BANDS_HZ, 48000).sum(axis=0)
        np.testing.assert_allclose(curve_at(found[part], BANDS_HZ), expected, atol=0.01)


@pytest.mark.parametrize(("name", "end_hz"), [("LS", 25.0), ("HS", 19000.0)])
def test_shelves_without_q_are_gentle_and_reach_half_their_gain_at_their_frequency(reading, name, end_hz):
    points = reading(f"Filter 1: ON {name} Fc 600 Hz Gain 8.0 dB")["mid"]
    half, end, most = (*curve_at(points, np.array([600.0, end_hz])), max(gain for _, gain in points))
    assert half == pytest.approx(4.0, abs=0.02)
    assert end == pytest.approx(8.0, abs=0.2)
    assert most < 8.01  # a slope of 0.9 does not overshoot


def test_a_gain_alone_is_a_curve(reading):
    assert reading("Preamp: -3.5 dB")["side"] == ((1000.0, -3.5),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1:1: no curve found: expected GraphicEQ, Filter lines, or a table"),
        ("Once upon a time\nthere was a mix\n", r":1:1: no curve found"),
        ("Channel: ALL\n", r":1:1: no curve found"),
        ("20 1\n-50 2\n", r":2:1: expected a frequency above 0 and up to 384000 Hz, found -50"),
        ("0 1\n", r":1:1: expected a frequency above 0"),
        ("* x\n20 1\n20 2\n", r":3:1: frequencies must rise, found 20 Hz after 20 Hz"),
        ("GraphicEQ: 40 1; 20 2", r":1:18: frequencies must rise, found 20 Hz after 40 Hz"),
        ("20 nan\n", r':1:1: expected a number such as 1\.5, found "nan"'),
        ("nan 20\n", r':1:1: expected a number such as 1\.5, found "nan"'),
        ("20 1_0\n", r':1:1: expected a number such as 1\.5, found "1_0"'),
        ("20 1\n50 inf\n", r':2:1: expected a number such as 1\.5, found "inf"'),
        ("20 75.3\n", r":1:1: expected a gain from -60 to 60 dB, found 75\.3; is this a measured level"),
        ("20\n", r":1:1: expected Hz and dB, and a phase at most"),
        ("20 1 2 3\n", r":1:1: expected Hz and dB, and a phase at most"),
        ("20,5 1,5\n", r":1:1: expected a point as the decimal mark"),
        ("20 1\nfifty 2\n", r':2:1: expected a number at the start of the line, found "fifty 2"'),
        ("20 1\nPreamp: 3 dB\n", r":2:1: a table of frequencies has begun, found a command"),
        ("GraphicEQ: 20 1\n50 2\n", r":2:1: expected GraphicEQ, Filter, Preamp, Channel or Copy"),
        ("GraphicEQ:\n", r':1:11: expected "Hz dB" between semicolons'),
        ("GraphicEQ: 20 1;; 40 2\n", r':1:17: expected "Hz dB" between semicolons'),
        ("GraphicEQ: 20 1, 40 2\n", r':1:12: expected "Hz dB" between semicolons'),
        ("Preamp: loud\n", r':1:8: expected a number such as 1\.5, found "loud"'),
        ("Channel: L\nGraphicEQ: 20 1\n", r":1:9: expected ALL, L R, MID or SIDE"),
        ("Copy: L=R\nGraphicEQ: 20 1\n", r":1:6: Copy can only make MID and SIDE"),
        ("GraphicEQ: 20 1\nDevice: all\n", r":2:1: expected GraphicEQ"),
        ("Filter 1: ON PK Fc 100 Hz Gain 3 dB\n", r":1:10: expected PK, LSC or HSC with a Q"),
        ("Filter 1: ON LS Fc 100 Hz Gain 3 dB Q 1\n", r'found "LS" with Q'),
        ("Filter 1: ON HP Fc 100 Hz\n", r':1:10: expected "ON PK Fc 100 Hz Gain 1\.0 dB Q 1\.0"'),
        ("Filter 1: ON NO Fc 100 Hz Gain 1 dB Q 9\n", r'found "NO" with Q'),
        ("Filter 1: ON PK Fc 100 Hz Gain 3 dB Q 0\n", r":1:10: expected a Q from 0\.05 to 100, found 0"),
        ("Filter 1: ON PK Fc -9 Hz Gain 3 dB Q 1\n", r":1:10: expected a frequency above 0"),
        ("Filter 1: ON PK Fc 23900 Hz Gain 3 dB Q 1\n", r":1:10: expected a filter below 23520 Hz"),
        ("Preamp: 40 dB\nPreamp: 40 dB\n", r":1:1: all lines together ask for \+80\.0 dB"),
        ("\n".join(f"{hz} 0" for hz in range(1, MAX_POINTS + 2)), r":4001:1: more than 4000 points"),
        ("Filter 1: ON PK Fc 100 Hz Gain 0.1 dB Q 1\n" * 201, r":201:10: more than 200 filters"),
        ("GraphicEQ: 20 1\n" * 5000, r":4001:12: more than 4000 points"),
        ("x" * 100_000, r":1:1: no curve found"),
        ("Filter" + " " * 900_000 + "x", r":1:1: no curve found"),
        ("Filter: ON PK Fc " + "Hz" * 400_000, r':1:8: expected "ON PK'),
        ("Preamp:" + " " * 900_000 + "x", r':1:8: expected a number such as 1\.5, found "x"'),
        ("20 1\n" + "x" * 100_000, r":2:1: expected a number at the start of the line"),
        ("#" * (MAX_CURVE_BYTES + 1), r"expected at most 1,048,576 bytes, found more"),
        (b"20 1\n\xff\xfe", r"expected a UTF-8 text file, found other bytes at 5"),
        ("20 1\n\x1b[2J 3", r':2:1: expected a number at the start of the line, found "\\u001b'),
    ],
)
def test_what_is_no_curve_is_refused_with_its_line(reading, text, message):
    with pytest.raises(SettingsError, match=r"eq\.txt.*" + message) as error:
        reading(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@given(st.text() | st.text(alphabet="0123456789.,;:-+ \neNFilterGaphcQOnPKHzdB"))
def test_any_text_is_a_curve_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("texts") / "eq.txt"
    path.write_bytes(text.encode("utf-8"))
    try:
        found = read_curves(path, sample_rate_hz=44100)
    except SettingsError:
        return
    for points in found.values():
        hz = [at for at, _ in points]
        assert hz == sorted(set(hz))
        assert all(np.isfinite(gain) for _, gain in points)
