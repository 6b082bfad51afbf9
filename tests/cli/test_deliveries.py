"""``--for``: files for delivery targets from the command line, and masters held against them."""

import json
import re

import pytest
import soundfile as sf

MINE = """
version: 1
title: Mine
grade: secondary
source: me
checked_on: 2026-11-21
integrated_lufs: -12.0
meant: required
tolerance_lu: 0.3
true_peak_dbtp: -0.5
containers: [flac]
bit_depths: ["24"]
file_name: "{song} for {target}{ext}"
"""


@pytest.fixture(autouse=True)
def _no_codecs(monkeypatch, tmp_path_factory):
    """Give this session targets of its own without codecs, whose safety has tests of its own."""
    folder = tmp_path_factory.mktemp("targets")
    from refmaster.settings.folders import target_paths

    for name, path in target_paths().items():
        text = re.sub(r"^codecs: .*$", "codecs: []", path.read_text("utf-8"), flags=re.MULTILINE)
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("REFMASTER_TARGETS", str(folder))


def test_master_for_several_targets(command, music, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    code, out, err = command(
        *("master", music / "mix.wav", "-r", music / "reference.wav", "-o", f"{tmp_path}/Masters/"),
        *("--for", "spotify", "--for", "cd", "--for", tmp_path / "mine.yaml"),
        *("--save-plan", tmp_path / "plans"),
    )
    assert (code, err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "Masters").iterdir() if path.suffix != ".json") == [
        "mix for mine.flac",
        "mix.cd.wav",
        "mix.spotify.wav",
    ]
    for word in ("mix.spotify.wav", "WAV 16, 44.1 kHz", "FLAC 24, 48 kHz", "-14.0", "-12.0"):
        assert word in out
    plan = tmp_path / "plans" / "mix.cd.plan.yaml"
    assert command("render", plan, "-o", tmp_path / "again.wav", "-q")[0] == 0
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "Masters" / "mix.cd.wav").read_bytes()
    # Masters are accepted by their own targets, and refused by others.
    masters = tmp_path / "Masters"
    assert command("check", masters / "mix.spotify.wav", "--for", "spotify", "--no-cache")[0] == 0
    code, out, _ = command(
        "check", masters / "mix for mine.flac", "--for", "cd", "--for", tmp_path / "mine.yaml", "--json"
    )
    assert code == 1
    (checked,) = json.loads(out)["files"]
    assert not checked["passed"]
    assert {f["code"] for f in checked["findings"]} == {"target_bit_depth", "target_sample_rate"}


def test_render_for_targets_as_json(command, music, tmp_path):
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "plan.yaml", "-q")
    assert command(*job)[0] == 0
    code, out, _ = command(
        *("render", tmp_path / "plan.yaml", "-o", tmp_path / "out"),
        *(
            "--for",
            "vinyl",
            "--for",
            "ebu-r128",
            "--save-plan",
            tmp_path / "out",
            "--tag",
            "title=A",
            "--json",
        ),
    )
    found = json.loads(out)
    assert code == 0
    assert found["kept_promises"]
    vinyl, broadcast = found["deliveries"]
    assert (vinyl["target"]["name"], broadcast["target"]["name"]) == ("vinyl", "ebu-r128")
    assert vinyl["achieved"]["limiter"] is None
    assert vinyl["plan"]["tone"]["mono_below_hz"] == 250.0
    assert broadcast["achieved"]["after"]["integrated_lufs"] == pytest.approx(-23.0, abs=0.05)
    assert broadcast["plan"]["tags"]["title"] == "A"
    names = {path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".json"}
    assert names == {f"mix.{name}.{end}" for name in ("vinyl", "ebu-r128") for end in ("wav", "plan.yaml")}


def test_what_cannot_be_met_exits_with_1(command, music, tmp_path):
    samples, rate = sf.read(music / "mix.wav")
    sf.write(tmp_path / "mono.wav", samples[:, 0], rate)
    code, out, _ = command(
        "master", tmp_path / "mono.wav", "-r", music / "reference.wav", "-o", tmp_path, "--for", "cd"
    )
    assert code == 1
    assert "NOT MET: cd: expected stereo, found mono" in out
    assert (tmp_path / "mono.cd.wav").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "{folder}/m.wav", "--for", "cd"), "with --for expected a folder, found the name of a file"),
        (("-o", "s3://bucket/x/", "--for", "cd"), "with --for expected a folder of this machine"),
        (("-o", "{folder}", "--for", "spotfy"), 'unknown delivery target .spotfy.; did you mean "spotify"'),
        (("-o", "{folder}", "--for", "{folder}/none.yaml"), "none.yaml: no such file"),
        (("-o", "{folder}/m.wav", "--targets", "{folder}"), "--targets: expected --for with it"),
        (("-o", "{folder}", "--for", "cd", "--targets", "{folder}/none"), "expected a folder with delivery"),
        (("-o", "{folder}", "{music}/reference.wav", "--for", "cd"), "expected one MIX, found several"),
        (("-o", "{music}", "--for", "spotify"), "mix.spotify.wav: exists already; use --overwrite"),
    ],
)
def test_what_is_refused_before_the_work(arguments, message, command, music, tmp_path):
    existing = music / "mix.spotify.wav"
    existing.write_text("mine")
    try:
        filled = [text.format(folder=tmp_path, music=music) for text in arguments]
        code, out, err = command("master", music / "mix.wav", "-r", music / "reference.wav", *filled)
    finally:
        existing.unlink()
    assert (code, out) == (2, "")
    assert re.search(message, err), err
    assert not list(tmp_path.iterdir())


def test_a_render_alone_has_no_plan_to_save(command, tmp_path):
    code, _, err = command("render", "p.yaml", "-o", tmp_path / "m.wav", "--save-plan", tmp_path)
    assert code == 2
    assert "--save-plan: expected --for with it" in err


def test_own_targets_in_the_table_and_as_files(command, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    out = command("targets", "--targets", tmp_path)[1]
    assert re.search(r"mine +24 bit, flac +secondary +-12 \+-0\.3 +-0\.5", out)
    assert "mine: me." in out
    assert "spotify" in out
    assert command("targets", "--targets", tmp_path, "--show", "mine")[1] == MINE
    code, _, err = command("targets", "--show", "mine")
    assert code == 2
    assert "unknown delivery target 'mine'" in err
