"""manifest.json: what it holds, and what is no manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster import MasteringPlan, render_file, write_manifest
from refmaster.delivery.manifest import load_manifest, require_beside
from refmaster.errors import OutputError, SettingsError
from refmaster.rendering.result import MasterResult


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_lists_inputs_versions_what_was_asked_and_what_came_out(delivered: Path) -> None:
    manifest = load_manifest(delivered / "Masters" / "manifest.json")
    (found,) = manifest.deliveries
    assert (found.file, found.target) == ("song.wav", "club")
    assert found.sha256 == sha256(delivered / "Masters" / "song.wav")
    assert found.bytes == (delivered / "Masters" / "song.wav").stat().st_size
    assert [(item.role, item.file) for item in found.inputs] == [
        ("mix", "../mix.wav"), ("art", "../cover.png"), ("reference", "../reference.wav")
    ]  # fmt: skip
    for item in found.inputs:
        assert item.sha256 == sha256(delivered / "Masters" / item.file)
    assert (found.asked.integrated_lufs, found.asked.true_peak_dbtp) == (-16.0, -1.0)
    assert found.achieved.integrated_lufs == pytest.approx(-16.0, abs=0.05)
    assert (found.achieved.sample_rate_hz, found.achieved.frames) == (48000, 5 * 48000)
    assert {"refmaster", "python", "libsndfile", "libsoxr", "numpy"} <= manifest.versions.keys()
    assert isinstance(found.plan, MasteringPlan)
    assert found.plan.tags["title"] == "Söng 🎵\u2028\ufeff"


def test_it_is_json_with_keys_in_order_and_no_path_from_the_root(delivered: Path) -> None:
    text = (delivered / "Masters" / "manifest.json").read_text("utf-8")
    data = json.loads(text)
    assert list(data) == ["version", "made_by", "versions", "deliveries"]
    assert data["deliveries"][0]["plan"]["tags"]["title"] == "Söng 🎵\u2028\ufeff"
    assert str(delivered) not in text
    assert text.count("\n") < 1000


def test_one_that_another_program_wrote_anew_is_the_same(delivered: Path, tmp_path: Path) -> None:
    own = delivered / "Masters" / "manifest.json"
    for indent in (None, 4):  # with every character beyond ASCII as an escape
        (tmp_path / "m.json").write_text(json.dumps(json.loads(own.read_text("utf-8")), indent=indent))
        assert load_manifest(tmp_path / "m.json") == load_manifest(own)


def again(delivered: Path, folder: Path) -> MasterResult:
    plan = load_manifest(delivered / "Masters" / "manifest.json").deliveries[0].plan
    plan = plan.model_copy(update={"art": None})
    return render_file(plan, folder / "a.wav", mix=delivered / "mix.wav")


def test_two_runs_write_the_same_bytes_and_a_folder_above_will_do(delivered: Path, tmp_path: Path) -> None:
    (tmp_path / "Wide").mkdir()
    result = again(delivered, tmp_path / "Wide")
    for name in ("one.json", "two.json"):
        write_manifest(tmp_path / name, [result])
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert load_manifest(tmp_path / "one.json").deliveries[0].file == "Wide/a.wav"
    with pytest.raises(OutputError, match="exists already"):
        write_manifest(tmp_path / "one.json", [result])
    with pytest.raises(OutputError, match="is the input"):
        write_manifest(tmp_path / "Wide" / "a.wav", [result], overwrite=True)
    (tmp_path / "Other").mkdir()
    with pytest.raises(OutputError, match="expected the manifest in the folder of"):
        write_manifest(tmp_path / "Other" / "m.json", [result])
    assert not list((tmp_path / "Other").iterdir())


def test_another_mix_than_the_plans_is_the_one_that_is_named(delivered: Path, tmp_path: Path) -> None:
    plan = load_manifest(delivered / "Masters" / "manifest.json").deliveries[0].plan
    plan = plan.model_copy(update={"art": None})
    other = Path(shutil.copyfile(delivered / "reference.wav", tmp_path / "other.wav"))
    write_manifest(tmp_path / "m.json", [render_file(plan, tmp_path / "a.wav", mix=other)])
    (found,) = load_manifest(tmp_path / "m.json").deliveries
    assert (found.plan.mix.file, found.plan.mix.sha256) == ("other.wav", sha256(other))


def test_what_was_not_written_to_a_file_has_no_manifest(delivered: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    result = replace(again(delivered, tmp_path), output=None)
    with pytest.raises(OutputError, match="found one that was not kept"):
        write_manifest(tmp_path / "m.json", [result])
    for output, manifest in (("s3://bucket/a.wav", "m.json"), ("a.wav", "s3://bucket/m.json")):
        with pytest.raises(OutputError, match="expected the manifest in the folder"):
            require_beside(output, manifest)


def edited(delivered: Path, folder: Path, *keys: str | int, value: Any) -> Path:
    """Write the manifest with one value replaced, and return its path."""
    data = json.loads((delivered / "Masters" / "manifest.json").read_text("utf-8"))
    at = data
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    path = folder / "m.json"
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    return path


FILE = ("deliveries", 0, "file")


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (FILE, "../song.wav", 'without "..", found'),
        (FILE, "a/../../song.wav", 'without ".."'),
        (FILE, "/etc/passwd", "relative path"),
        (FILE, "C:/song.wav", "relative path"),
        (FILE, "..\\song.wav", "forward slashes"),
        (FILE, "\\\\server\\share\\song.wav", "forward slashes"),
        (FILE, "http://example.org/song.wav", "relative path"),
        (FILE, "", "in the manifest's folder"),
        (FILE, "a\0b", "in the manifest's folder"),
        (FILE, "x" * 300, "names of at most 255 bytes"),
        (("deliveries", 0, "sha256"), "0" * 63, "sha256"),
        (("deliveries", 0, "plan", "mix", "file"), "../../secret.wav", "the mix that the plan reads"),
        (("deliveries", 0, "inputs", 0, "sha256"), None, "the mix that the plan reads"),
        (("deliveries", 0, "plan", "art", "sha256"), None, "the art that the plan reads"),
        (("deliveries", 0, "asked", "tolerance_lu"), 1e9, "at most 10"),
        (("deliveries", 0, "asked", "true_peak_dbtp"), "loud", "a number"),
        (("deliveries", 0, "extra"), 1, "unknown key"),
        (("deliveries",), [], "1 or more items"),
        (("version",), 2, "of version 1, found 2"),
        (("version",), 0, "at least 1"),
        (("version",), "1", "a whole number"),
    ],
)
def test_an_edited_manifest_is_refused_with_its_place(
    delivered: Path, tmp_path: Path, keys: tuple[str | int, ...], value: Any, said: str
) -> None:
    with pytest.raises(SettingsError, match=r"m\.json") as refused:
        load_manifest(edited(delivered, tmp_path, *keys, value=value))
    assert said in str(refused.value)


def test_a_truncated_one_and_other_files_are_refused(delivered: Path, tmp_path: Path) -> None:
    text = (delivered / "Masters" / "manifest.json").read_text("utf-8")
    path = tmp_path / "m.json"
    for length in (0, 1, 100, len(text) // 2, len(text) - 3):
        path.write_text(text[:length], "utf-8")
        with pytest.raises(SettingsError, match=r"m\.json"):
            load_manifest(path)
    path.write_text("jobs: []\n")
    with pytest.raises(SettingsError, match="this is a jobs file, expected a manifest"):
        load_manifest(path)
    path.write_text('{"version": 1, "version": 1}')
    with pytest.raises(SettingsError, match="twice"):
        load_manifest(path)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(SettingsError, match="UTF-8"):
        load_manifest(path)
    with pytest.raises(SettingsError, match="no such file"):
        load_manifest(tmp_path / "none.json")


@given(st.data())
def test_any_edit_is_a_manifest_or_a_clear_error(delivered: Path, tmp_path_factory: Any, data: Any) -> None:
    text = (delivered / "Masters" / "manifest.json").read_text("utf-8")
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 20))
    new = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text[:at] + new + text[at + length :], "utf-8")
    try:
        manifest = load_manifest(path)
    except SettingsError as error:
        refusal = str(error)
    else:
        assert all(".." not in Path(d.file).parts for d in manifest.deliveries)
        return
    assert os.fspath(path) in refusal
