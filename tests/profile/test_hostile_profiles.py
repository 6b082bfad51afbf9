"""A saved profile that cannot be true is refused with its line; whatever can be measured can be saved."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.errors import SettingsError
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure
from refmaster.profile.model import load_profile, save_profile


@pytest.fixture(scope="module")
def profile():
    noise = 0.1 * np.random.default_rng(5).standard_normal((22050 * 4, 2))
    return measure(ArraySource(noise, 22050))


@pytest.fixture
def saved(profile, tmp_path):
    path = tmp_path / "song.yaml"
    save_profile(profile, path)
    return path


def refusal(path, pattern, replacement):
    """Return the line that the profile is refused with after a change of its text."""
    text, changed = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert changed == 1
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert re.match(re.escape(str(path)) + r":\d+:\d+: ", message)
    return message


def test_a_spectrum_of_which_a_line_is_missing(saved):
    message = refusal(saved, r"(  mid_db:.*\n.*\n).*\n", r"\1")
    assert re.search(r"spectrum: mid_db: expected \d+ values, found \d+$", message)


def test_an_evidence_row_of_which_a_number_is_missing(saved):
    message = refusal(saved, r"(  segment_mid_db:.*\n    - \[)[^,]+, ", r"\1")
    assert re.search(r"evidence: segment_mid_db\[0\]: expected \d+ values, found \d+$", message)


def test_an_evidence_row_of_the_side_that_is_missing(saved):
    message = refusal(saved, r"(  segment_side_db:.*\n)    - .*\n", r"\1")
    assert re.search(r"evidence: segment_side_db: expected \d+ values, found \d+$", message)


def test_a_deviation_that_is_missing(saved):
    assert "mid_std_db: expected" in refusal(saved, r"(  mid_std_db:.*\n    \[)[^,]+, ", r"\1")


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e999", ".inf", ".nan", "101"])
@pytest.mark.parametrize(
    "place",
    [
        r"(integrated_lufs: )\S+",
        r"(true_peak_dbtp: )\S+",
        r"(  mid_db:.*\n    \[)[^,]+",
        r"(  side_db:.*\n    \[)[^,]+",
        r"(  segment_mid_db:.*\n    - \[)[^,]+",
        r"(  mid_std_db:.*\n    \[)[^,]+",
        r"(  short_term_lufs:.*\n    \[)[^,]+",
        r"(  dc: \[)[^,]+",
        r"(correlation: )\S+",
        r"(gate_passed_share: )\S+",
    ],
)
def test_values_out_of_range(saved, place, value):
    if value == "101" and ("std" in place or "dc" in place):
        value = "1e6"
    assert "expected " in refusal(saved, place, rf"\g<1>{value}")


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"channels: 2", "channels: 1", "stereo.dc: expected 1 values, found 2"),
        (r"channels: 2\n", "channels: 0\n", "expected at least 1, found 0"),
        (r"sample_rate_hz: 22050", "sample_rate_hz: 1", "expected at least 4000, found 1"),
        (r"sample_rate_hz: 22050", "sample_rate_hz: 8000", "expected at most 4000 Hz"),
        (r"(duration_s: )\S+", r"\1-1.0", "expected at least 0, found -1.0"),
        (r"(frames: )\S+", r"\1-1", "expected at least 0, found -1"),
        (r"(segment_s: )\S+", r"\g<1>0", "expected more than 0, found 0"),
        (r"(hop_s: )\S+", r"\g<1>0", "expected more than 0, found 0"),
        (
            r"(  frequencies_hz:.*\n    \[)[^,]+",
            r"\g<1>30.0",
            "expected rising values, found 30 Hz before 20.",
        ),
        (r"(  frequencies_hz:.*\n    \[)[^,]+", r"\g<1>0.0", "expected more than 0, found 0.0"),
    ],
)
def test_facts_that_contradict(saved, pattern, replacement, message):
    assert message in refusal(saved, pattern, replacement)


def test_a_side_of_a_mono_recording(profile, saved):
    saved.write_text(re.sub(r"(dc: )\[.*\]", r"\1[0.0]", saved.read_text()))
    assert "expected no side" in refusal(saved, "channels: 2", "channels: 1")


def test_a_series_of_the_wrong_type_is_one_problem(saved):
    row = ", ".join(["x"] * 50_000)
    message = refusal(
        saved, r"  short_term_lufs: [^\]]*\]|  short_term_lufs:.*\n[^\]]*\]", f"  short_term_lufs: [{row}]"
    )
    assert message.endswith('series.short_term_lufs[0]: expected a number, found "x"')


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 6]),
    st.sampled_from([1, 100, 9000, 30000]),
    st.sampled_from([0.0, 1e-300, 1e-20, 1e-3, 1.0, 100.0]),
    st.sampled_from([0.0, 1e-30, 1.0]),
    st.sampled_from([4000, 44100, 768000]),
)
def test_what_is_measured_can_be_saved(tmp_path_factory, seed, channels, frames, gain, side_gain, rate_hz):
    noise = gain * np.random.default_rng(seed).standard_normal((frames, channels))
    noise[:, 1:] *= side_gain
    profile = measure(ArraySource(noise, rate_hz))
    path = tmp_path_factory.mktemp("saved") / "any.yaml"
    save_profile(profile, path)
    assert load_profile(path) == profile
