"""The public interface: its names and their documents, its imports, and results that can be read."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refmaster

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", refmaster.__all__)
def test_every_public_name_has_a_home(name):
    assert getattr(refmaster, name) is not None
    assert name in dir(refmaster)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        refmaster.nonsense  # noqa: B018 - asked for, not used


def test_the_package_alone_imports_nothing_heavy():
    code = "import sys, refmaster; sys.exit(bool({'numpy', 'pydantic', 'soundfile'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_function_is_not_hidden_by_a_room_of_its_name():
    code = (
        "import refmaster, refmaster.comparison.process, refmaster.profile.measure, refmaster.plan\n"
        "assert callable(refmaster.compare) and callable(refmaster.measure)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_that_the_documents_promise_is_there():
    texts = [path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    promised = {name for text in texts for name in re.findall(r"\brefmaster\.([A-Za-z_]\w*)\b(?!/)", text)}
    modules = {"__all__", "matching", "git", "yaml"}
    assert promised - modules <= set(refmaster.__all__)
    from_python = texts[0][texts[0].index("## From Python") : texts[0].index("## Where to read on")]
    for name in re.findall(r"`([a-z_]+|[A-Z][A-Za-z]+)`", from_python):
        assert hasattr(refmaster, name), name


def test_measure_takes_a_path_or_an_open_recording(short_example):
    by_text = refmaster.measure(str(short_example / "mix.wav"))
    assert refmaster.measure(short_example / "mix.wav") == by_text
    assert refmaster.measure(refmaster.open_audio(short_example / "mix.wav")) == by_text
    samples = np.zeros((48000, 2), np.float32)
    assert refmaster.measure(refmaster.ArraySource(samples, 48000)).is_silent
    with pytest.raises(refmaster.AudioError, match=r"ArraySource\(samples, sample_rate_hz\)"):
        refmaster.measure(samples)
    with pytest.raises(refmaster.InputError, match="no such file"):
        refmaster.measure("none.wav")


@pytest.fixture(scope="module")
def result(short_example):
    return refmaster.plan_file(short_example / "mix.wav", short_example / "reference.wav")


@pytest.mark.parametrize("part", ["", "plan", "mix"])
def test_a_result_is_shown_in_ten_lines(result, part):
    shown = repr(getattr(result, part) if part else result)
    assert 3 < len(shown.splitlines()) <= 10
    assert len(shown) < 2000
    assert "mix.wav" in shown
    assert f"{getattr(result, part)}" == shown if part else f"{result}" == shown


def test_a_notebook_gets_a_table_with_its_text_escaped(result):
    source = result.mix.source.model_copy(update={"file": "<b>a & b</b>.wav"})
    page = result.mix.model_copy(update={"source": source})._repr_html_()
    assert page.startswith("<table>")
    assert "<td" in page
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;.wav" in page
    assert "<b>" not in page


def test_an_album_is_shown_in_ten_lines(album_mixes, tmp_path):
    for path in album_mixes:
        (tmp_path / path.name).symlink_to(path)
    result = refmaster.master_album(tmp_path, tmp_path / "out", dry_run=True)
    assert "lithium" in repr(result)
    many = dataclasses.replace(
        result,
        tracks=result.tracks * 4,
        plan=result.plan.model_copy(update={"tracks": result.plan.tracks * 4}),
    )
    assert len(repr(many).splitlines()) <= 10
    assert "6 more" in repr(many)
