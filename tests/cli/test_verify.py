"""``--manifest`` and ``refmaster verify``."""

import json

import pytest


def test_a_master_and_its_render_are_verified(command, music, tmp_path):
    master, manifest = tmp_path / "Masters" / "a.wav", tmp_path / "Masters" / "manifest.json"
    options = ["-r", music / "reference.wav", "--lufs", "-16", "-o", master, "--manifest", manifest]
    plan = tmp_path / "plans" / "plan.yaml"
    code, _, err = command("master", music / "mix.wav", *options, "--save-plan", plan, "-q")
    assert (code, err) == (0, "")
    code, out, err = command("verify", manifest, "--render")
    assert (code, err) == (0, "")
    assert "a.wav" in out
    assert "same bytes" in out
    again = tmp_path / "again.wav"
    code, _, err = command("render", plan, "-o", again, "--manifest", tmp_path / "m.json", "-q")
    assert (code, err) == (0, "")
    code, out, _ = command("verify", tmp_path / "m.json", "--render", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["kept_promises"] is True
    (file,) = found["files"]
    assert (file["file"], file["render"], file["findings"]) == ("again.wav", "same bytes", [])
    assert file["asked"]["integrated_lufs"] == -16.0
    assert {reading["meter"] for reading in file["readings"]} >= {"pyloudnorm"}
    data = bytearray(again.read_bytes())
    data[-1000] ^= 64
    again.write_bytes(data)
    code, out, err = command("verify", tmp_path / "m.json", "--quiet")
    assert (code, out) == (1, "")
    assert "NOT MET: again.wav: expected the file that was delivered" in err
    (tmp_path / "m.json").write_text("{}")
    code, out, err = command("verify", tmp_path / "m.json", "--json")
    assert code == 2
    assert "deliveries: this key is required and missing" in json.loads(out)["error"]["message"]


def test_a_manifest_elsewhere_is_refused_before_any_work(command, music, tmp_path):
    options = ["-r", music / "reference.wav", "-o", tmp_path / "Masters" / "a.wav"]
    code, _, err = command("master", music / "mix.wav", *options, "--manifest", tmp_path / "Other" / "m.json")
    assert code == 2
    assert "expected the manifest in the folder of" in err
    assert not list(tmp_path.iterdir())
    (tmp_path / "m.json").write_text("taken")
    code, _, err = command("master", music / "mix.wav", *options, "--manifest", tmp_path / "m.json")
    assert code == 2
    assert "m.json: exists already; use --overwrite" in err
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


@pytest.mark.slow
def test_deliveries_have_a_manifest_beside_each(command, music, tmp_path):
    folder, plan = tmp_path / "Masters", tmp_path / "plan.yaml"
    targets = ["--for", "spotify", "--for", "cd", "-q"]
    options = ["-r", music / "reference.wav", "-o", folder, *targets]
    code, _, err = command("master", music / "mix.wav", *options)
    assert (code, err) == (0, "")
    files = []
    for target in ("spotify", "cd"):
        code, out, _ = command("verify", folder / f"mix.{target}.manifest.json", "--render", "--json")
        assert code == 0
        files += json.loads(out)["files"]
    assert [(file["target"], file["render"]) for file in files] == [
        ("spotify", "same bytes"), ("cd", "same bytes")
    ]  # fmt: skip
    assert (files[0]["asked"]["integrated_lufs"], files[1]["achieved"]["sample_rate_hz"]) == (-14.0, 44100)
    assert command("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", plan, "-q")[0] == 0
    other = tmp_path / "all.json"
    code, _, err = command("render", plan, "-o", tmp_path / "Again", *targets, "--manifest", other)
    assert (code, err) == (0, "")
    assert command("verify", other, "--render", "-q") == (0, "", "")
    for song in ("mix.spotify.wav", "mix.cd.wav"):
        assert (tmp_path / "Again" / song).read_bytes() == (folder / song).read_bytes()
        (tmp_path / "Again" / song).unlink()
    code, _, err = command("render", plan, "-o", tmp_path / "Again", *targets, "--manifest", other)
    assert code == 2
    assert "all.json: exists already" in err
