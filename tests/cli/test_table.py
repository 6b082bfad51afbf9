"""Tables and paragraphs at any width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from refmaster.cli.table import ELLIPSIS, Name, elided, table_lines, wrapped

LONG = "The Wandering Lights - Everything is Free (Mix 7 final, louder vocals).wav"


def words_of(lines):
    return {word for line in lines for word in line.split()}


@pytest.mark.parametrize("width", [48, 60, 80, 120])
def test_no_word_is_broken_and_no_line_too_wide(width):
    header = ["", "", "mix", Name(f"reference\n{LONG}"), "master"]
    rows = [
        ["Integrated loudness", "LUFS", "-19.93", "-13.64", "-13.64"],
        ["Tone to reference", "dB RMS", "3.03", "0", "2.21"],
    ]
    lines = table_lines(header, rows, text_columns=2, width=width)
    assert max(map(len, lines)) <= width
    for word in ("Integrated", "loudness", "LUFS", "-19.93", "reference", "master", "RMS"):
        assert word in words_of(lines)
    assert any(ELLIPSIS in line for line in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_rows_of_files_keep_both_ends_of_their_names(width):
    rows = [[Name(LONG), "WAV PCM_24", "48000", "-18.92"], [Name("a.wav"), "FLAC PCM_16", "44100", "-9.2"]]
    lines = table_lines(["file", "format", "Hz", "LUFS"], rows, text_columns=2, width=width)
    assert max(map(len, lines)) <= width
    named = next(line for line in lines if "-18.92" in line)
    assert named.strip().startswith("The Wandering")
    assert "vocals).wav" in named


def test_prose_wraps_between_words():
    rows = [["mids", "mostly song content, followed in part (likely mastering)", "+4.8"]]
    lines = table_lines(["region", "why", "difference dB"], rows, text_columns=2, width=44)
    assert max(map(len, lines)) <= 44
    assert {"mostly", "content,", "mastering)", "difference", "dB"} <= words_of(lines)


def test_a_narrow_table_stays_as_it_is():
    lines = table_lines(["name", "LUFS"], [["a", "-9.0"], ["bb", "-10.0"]], width=80)
    assert lines == [" name    LUFS", " ────────────", " a       -9.0", " bb     -10.0"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])), st.integers(4, 60))
def test_an_elided_name_fits_and_keeps_its_ends(name, width):
    short = elided(name, width)
    assert cell_len(short) <= max(width, 3)
    assert short == name or ELLIPSIS in short


def test_a_wide_script_counts_by_cells():
    assert cell_len(elided("日本語の長いファイル名.wav", 12)) <= 12


def test_paragraphs_hang():
    lines = wrapped("tone    the reference is 3.0 dB RMS away; a move of 0.1 dB", 30, indent=8)
    assert lines[1].startswith(" " * 8 + "dB RMS")
    assert max(map(len, lines)) <= 30
