"""Settings in files, and how they are laid over each other."""

import pytest

from refmaster.errors import SettingsError
from refmaster.settings.files import load_settings, merged_layers, own_defaults, own_defaults_path
from refmaster.settings.kinds import WrongDocumentError


def written(path, text):
    path.write_text(text)
    return path


def test_a_file_sets_what_it_names(tmp_path):
    found = load_settings(
        written(tmp_path / "mine.yaml", "strength: 40\ntarget: spotify\nbit_depth: 24\nprior: prior.yaml\n")
    )
    assert found.match == {
        "strength": 40.0,
        "target_lufs": -14.0,
        "ceiling_dbtp": -1.0,
        "prior": str(tmp_path / "prior.yaml"),
    }
    assert found.output == {"bit_depth": "24"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strenght: 40", r'mine.yaml:1:1: strenght: unknown key, did you mean "strength"\?'),
        ("strength: 40\ntarget: spotify\ntarget_lufs: -9", "contradicts a loudness of -9 LUFS"),
        ("sample_rate_hz: 100", "mine.yaml:1:17: sample_rate_hz: expected at least 4000, found 100"),
    ],
)
def test_wrong_files_are_refused_with_their_place(tmp_path, text, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(written(tmp_path / "mine.yaml", text))


def test_a_jobs_file_is_no_settings_file(tmp_path):
    jobs = written(tmp_path / "jobs.yaml", "version: 1\njobs:\n  - mix: a.wav\n")
    with pytest.raises(WrongDocumentError, match="this is a jobs file, expected a settings file"):
        load_settings(jobs)


def test_later_layers_win():
    merged = merged_layers([{"strength": 20.0, "tone": False}, {"strength": 40.0}])
    assert merged == {"strength": 40.0, "tone": False}
    assert merged_layers([{"target_lufs": -14.0}, {"loudness": False}]) == {"loudness": False}
    assert merged_layers([{"loudness": False}, {"target_lufs": -9.0}]) == {"target_lufs": -9.0}


def test_own_defaults_are_in_the_configuration_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REFMASTER_CONFIG", str(tmp_path))
    assert own_defaults() is None
    written(tmp_path / "settings.yaml", "strength: 40")
    assert own_defaults().match == {"strength": 40.0}
    monkeypatch.delenv("REFMASTER_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert own_defaults_path().parts[-2:] == ("refmaster", "settings.yaml")
