"""Delivery targets are found: those that ship, the user's own, and files by their paths."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

import refmaster
from refmaster.errors import SettingsError
from refmaster.settings import folders, shipped
from refmaster.settings.folders import target_paths
from refmaster.settings.shipped import shipped_folder
from refmaster.settings.target_files import asked_targets, delivery_target, delivery_targets, target_text

REPOSITORY = Path(refmaster.__file__).resolve().parent.parent
MINE = """
version: 1
title: Mine
grade: secondary
source: me
checked_on: 2026-11-21
integrated_lufs: -12.0
meant: playback
true_peak_dbtp: -0.5
"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """Return the user's own folder, empty."""
    monkeypatch.setenv("REFMASTER_CONFIG", str(tmp_path / "own"))
    monkeypatch.delenv("REFMASTER_TARGETS", raising=False)
    (tmp_path / "own" / "targets").mkdir(parents=True)
    return tmp_path / "own"


def test_the_values_of_the_targets_by_name():
    levels = {name: (t.integrated_lufs, t.true_peak_dbtp) for name, t in delivery_targets().items()}
    assert levels == {
        "aes-td1008": (-16.0, -1.0),
        "amazon-music": (-14.0, -2.0),
        "apple-digital-masters": (None, -1.0),
        "apple-music": (-16.0, -1.0),
        "apple-podcasts": (-16.0, -1.0),
        "cd": (None, None),
        "deezer": (-15.0, -1.0),
        "ebu-r128": (-23.0, -1.0),
        "high-res": (None, -1.0),
        "spotify": (-14.0, -1.0),
        "tidal": (-14.0, -1.0),
        "vinyl": (None, -1.0),
        "youtube": (-14.0, -1.0),
    }
    for name, target in delivery_targets().items():
        assert target.name == name
        assert target.source
        assert date(2026, 1, 1) < target.checked_on
        assert target.meant == "required" or target.tolerance_lu is None


def test_what_is_not_a_number_of_loudness():
    cd, vinyl, spotify = map(delivery_target, ("cd", "vinyl", "spotify"))
    assert (cd.sample_rates_hz, cd.bit_depths, cd.channels) == ((44100,), ("16",), (2,))
    assert cd.max_duration_s == 359_100 / 75
    assert not vinyl.limiter
    assert (vinyl.bit_depths, vinyl.mono_below_hz) == (("24",), 250.0)
    assert all(target.limiter for name, target in delivery_targets().items() if name != "vinyl")
    assert spotify.louder is not None
    assert (spotify.louder.above_lufs, spotify.louder.true_peak_dbtp) == (-14.0, -2.0)
    assert delivery_target("apple-podcasts").tolerance_lu == 1.0


def test_a_wheel_has_the_targets_where_they_are_looked_for(tmp_path, monkeypatch):
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    assert shipped_folder("targets") == REPOSITORY / "configs" / "targets"
    installed = tmp_path / "site-packages" / included["configs/targets"]
    installed.mkdir(parents=True)
    (installed / "only.yaml").write_text(MINE)
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "site-packages" / "refmaster")
    assert list(target_paths()) == ["only"]


def test_own_targets_and_which_wins(own, tmp_path, monkeypatch):
    def written(folder, lufs):
        folder.mkdir(exist_ok=True)
        (folder / "spotify.yaml").write_text(MINE.replace("-12", lufs))

    assert delivery_target("spotify").integrated_lufs == -14.0
    written(own / folders.OWN_TARGETS, "-11")
    assert delivery_target("spotify").integrated_lufs == -11.0
    written(tmp_path / "env", "-10")
    monkeypatch.setenv("REFMASTER_TARGETS", str(tmp_path / "env"))
    assert delivery_target("spotify").integrated_lufs == -10.0
    written(tmp_path / "asked", "-9")
    assert delivery_target("spotify", tmp_path / "asked").integrated_lufs == -9.0
    assert delivery_target("cd", tmp_path / "asked").title == "Compact Disc"
    assert delivery_targets(tmp_path / "asked")["spotify"].integrated_lufs == -9.0


def test_a_target_by_its_path(tmp_path):
    path = tmp_path / "My Label.yaml"
    path.write_text(MINE)
    assert delivery_target(str(path)).name == "My Label"
    path.write_text(f"name: label\n{MINE}")
    assert [t.name for t in asked_targets([str(path), "cd", str(path), "cd"])] == ["label", "cd"]
    assert target_text("cd").startswith("version: 1\ntitle: Compact Disc\n")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            ("meant: playback", "meant: none"),
            "expected a loudness with playback or required, or null with none",
        ),
        (("meant: playback", "meant: required"), "tolerance_lu: expected where meant is required"),
        (("true_peak_dbtp: -0.5", "true_peak_dbtp: 0.5"), ":9:17: true_peak_dbtp: expected at most 0"),
        (("true_peak_dbtp: -0.5", "codecs: [wma:64]"), "codecs[0]: expected mp3 with"),
        (("true_peak_dbtp: -0.5", "containers: [exe]"), "containers[0]: expected wav, aiff"),
        (("true_peak_dbtp: -0.5", "containers: []"), "containers and channels: expected one or more of each"),
        (("true_peak_dbtp: -0.5", "bit_depth: 24"), 'bit_depth: unknown key, did you mean "bit_depths"?'),
        (("true_peak_dbtp: -0.5", "file_name: '../{song}{ext}'"), "file_name: expected a name of"),
        (("true_peak_dbtp: -0.5", "file_name: '{song}'"), "file_name: expected a name of"),
        (("true_peak_dbtp: -0.5", "file_name: '{title}{ext}'"), "file_name: expected a name of"),
        (
            ("-0.5", "-2.0\nlouder: {above_lufs: -14, true_peak_dbtp: -1}"),
            "louder: expected a lower true_peak_dbtp than the target's own",
        ),
        (("checked_on: 2026-11-21", "checked_on: November"), "checked_on: "),
    ],
)
def test_a_wrong_target_is_refused_with_its_place(changed, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(*changed))
    with pytest.raises(SettingsError) as refused:
        delivery_target(str(path))
    assert str(refused.value).startswith(f"{path}:")
    assert message in str(refused.value)


def test_an_unknown_target_names_the_known_ones(tmp_path):
    with pytest.raises(SettingsError, match='"tidal"'):
        delivery_target("tidel")
    with pytest.raises(SettingsError, match="known: aes-td1008, amazon-music, .*, youtube"):
        delivery_target("somewhere")
    with pytest.raises(SettingsError, match="expected a folder with delivery targets"):
        delivery_target("cd", tmp_path / "none")
