"""The command line as a person and a script meet it."""

import json
import re
import resource
import signal
import subprocess
import sys

import pytest
import soundfile as sf

from refmaster.cli.options import MATCH_OPTIONS
from refmaster.settings.match import MatchSettings


def test_master_prints_the_table(command, music, tmp_path):
    code, out, err = command(
        "master", music / "mix.wav", "--reference", music / "reference.wav", "-o", tmp_path / "m.wav", "-v"
    )
    assert code == 0
    assert err == ""
    for word in (
        "Integrated loudness",
        "True peak",
        "Tone to reference",
        "reference.wav",
        "master",
        "sub bass",
    ):
        assert word in out
    assert sf.info(tmp_path / "m.wav").frames == 5 * 48000


def test_json_is_one_object_and_nothing_else(command, music, tmp_path):
    code, out, err = command(
        "master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "m.wav", "--json"
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"requested", "achieved", "plan", "findings"}
    asked, reached = found["requested"]["integrated_lufs"], found["achieved"]["after"]["integrated_lufs"]
    assert reached == pytest.approx(asked, abs=0.05)
    assert found["achieved"]["after"]["true_peak_dbtp"] <= found["requested"]["true_peak_dbtp"]


def test_quiet_says_nothing_unless_a_promise_is_broken(command, music, tmp_path):
    base = ("master", music / "mix.wav", "-r", music / "reference.wav", "--quiet")
    assert command(*base, "-o", tmp_path / "a.wav") == (0, "", "")
    code, out, err = command(*base, "-o", tmp_path / "b.wav", "--lufs", "-5", "--max-reduction", "1")
    assert (code, out) == (1, "")
    assert "NOT MET: -5.0 LUFS was asked" in err
    assert "--max-reduction" in err


def test_plan_edit_render(command, music, tmp_path):
    plan = tmp_path / "plan.yaml"
    code, _, _ = command("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", plan)
    assert code == 0
    text = plan.read_text()
    assert "gain_db:" in text
    code, _, _ = command("render", plan, "-o", tmp_path / "out.wav", "--quiet")
    assert code == 0
    plan.write_text(text.replace("gain_db:", "gian_db:"))
    code, out, err = command("render", plan, "-o", tmp_path / "two.wav")
    assert (code, out) == (2, "")
    assert 'level.gian_db: unknown key, did you mean "gain_db"?' in err
    assert not (tmp_path / "two.wav").exists()


def test_measure_and_saved_profiles(command, music, tmp_path):
    code, out, _ = command("measure", music / "mix.wav", music / "reference.wav")
    assert code == 0
    assert "mix.wav" in out
    assert "loudness range may still move" in out.replace("\n", " ")
    code, out, _ = command("measure", music / "reference.wav", "--save", tmp_path / "ref.yaml", "--json")
    assert code == 0
    assert json.loads(out)["profiles"][0]["levels"]["integrated_lufs"] < 0
    base = ("master", music / "mix.wav", "--quiet")
    assert command(*base, "-r", tmp_path / "ref.yaml", "-o", tmp_path / "p.wav")[0] == 0
    assert command(*base, "-r", music / "reference.wav", "-o", tmp_path / "a.wav")[0] == 0
    assert (tmp_path / "p.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["master", "none.wav", "-r", "{ref}", "-o", "o.wav"], "none.wav: no such file"),
        (["master", "{mix}", "-r", "none.wav", "-o", "o.wav"], "none.wav: no such file"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--strength", "loud"], "--strength: expected"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--strength", "120"], "--strength"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--ceiling", "3"], "--ceiling: expected"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--target", "spotfy"], 'did you mean "spotify"'),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--bit-depth", "12"], "bit depth: expected"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wma"], ".wma"),
        (["master", "{mix}", "-r", "{ref}", "-o", "{mix}", "--overwrite"], "mix.wav"),
        (["master", "{mix}", "-r", "{ref}:-1", "-o", "o.wav"], "weight must be above 0"),
        (["master", "{mix}", "-o", "o.wav"], "Missing option"),
        (["render", "none.yaml", "-o", "o.wav"], "none.yaml: no such file"),
        (["measure", "{mix}", "{ref}", "--save", "p.yaml"], "--save: expected one FILE"),
        (["nonsense"], "No such command"),
        (["master", "{mix}", "-r", "{ref}", "-o", "o.wav", "--nonsense"], "No such option"),
    ],
)
def test_bad_use_is_exit_2_with_a_reason(command, music, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"mix": music / "mix.wav", "ref": music / "reference.wav"}
    code, out, err = command(*[argument.format(**places) for argument in arguments])
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_fault_is_exit_3_and_shown_whole(command, music, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("made for this test")

    monkeypatch.setattr("refmaster.rendering.loop.measure", fail)
    code, _, err = command(
        "master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "o.wav"
    )
    assert code == 3
    assert "made for this test" in err
    assert "fault of refmaster" in err


def test_an_interrupt_is_exit_130(command, music, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("refmaster.rendering.loop.measure", interrupt)
    code, _, err = command(
        "master", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "o.wav"
    )
    assert code == 130
    assert "nothing half-written" in err


def test_version_and_help(command):
    assert command("--version") == (0, "refmaster 0.1.0\n", "")
    code, out, _ = command("--help")
    assert code == 0
    assert "refmaster master mix.wav --reference ref.wav -o master.wav" in out
    assert "Exit codes" in out


def test_every_help_is_whole_at_80_columns(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("--help")
    assert code == 0
    assert "..." not in out.replace("[ARGS]...", "")
    assert max(map(len, out.splitlines())) <= 80
    verbs = out[out.index("Commands:") :].partition("\n\n")[0].splitlines()[1:]
    assert all(line.endswith(".") or line.split()[0] == "plan" for line in verbs)
    for verb in [line.split()[0] for line in verbs]:
        assert f"refmaster {verb} " in out  # an example of each
        code, text, _ = command(verb, "--help")
        assert code == 0
        assert max(map(len, text.splitlines())) <= 80


def test_options_stand_under_headings(command):
    _, out, _ = command("master", "--help")
    headings = [line.rstrip(":") for line in out.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "Arguments",
        "Repair of the mix",
        "What to match",
        "Equalizer",
        "Loudness and limiting",
        "The file",
        "Delivery",
        "Output on screen",
    ]
    place = out.index("Loudness and limiting:")
    assert out.index("--strength") < place < out.index("--ceiling") < out.index("The file:")


def test_help_states_the_defaults_of_the_settings():
    fields = MatchSettings.model_fields
    for name, kind in MATCH_OPTIONS.items():
        stated = re.search(r"\[(.*)\]$", kind.__metadata__[0].help)
        if stated and fields[name].default is not None:
            flags = {True: "clean" if name == "loudness" else name, False: f"no-{name}"}
            assert stated[1] == flags.get(fields[name].default, str(fields[name].default)), name


def test_profiles_are_kept_unless_told_otherwise(command, music, tmp_path, monkeypatch):
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path / "cache"))
    for name in ("mix", "reference"):  # of its own content, which no test has measured before
        samples, rate = sf.read(music / f"{name}.wav", frames=4 * 48000)
        sf.write(tmp_path / f"{name}.wav", samples, rate)
    job = ("plan", tmp_path / "mix.wav", "-r", tmp_path / "reference.wav", "-o")
    assert command(*job, tmp_path / "a.yaml", "--no-cache")[0] == 0
    assert not (tmp_path / "cache").exists()
    assert command(*job, tmp_path / "b.yaml")[0] == 0
    assert len(list((tmp_path / "cache").glob("*.json"))) == 2
    assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()


def test_a_second_opinion(command, music, tmp_path):
    short = tmp_path / "short.wav"
    sf.write(short, sf.read(music / "mix.wav", frames=9000)[0], 48000)
    code, out, err = command("measure", "--second-opinion", music / "mix.wav", short)
    assert (code, err) == (0, "")
    assert "By pyloudnorm" in out
    assert "short.wav was not measured by pyloudnorm: under 0.4 s" in out
    code, out, _ = command("measure", "--second-opinion", music / "mix.wav", "--json")
    found = json.loads(out)
    ours = found["profiles"][0]["levels"]["integrated_lufs"]
    (other,) = found["second_opinions"]
    assert other["meter"] == "pyloudnorm"
    assert other["integrated_lufs"] == pytest.approx(ours, abs=0.02)
    assert other["difference_lu"] == pytest.approx(other["integrated_lufs"] - ours, abs=0.0011)
    assert "second_opinions" not in json.loads(command("measure", music / "mix.wav", "--json")[1])


def test_nothing_heavy_is_imported_for_help():
    code = (
        "import sys; sys.argv = ['refmaster', '--help']\n"
        "from refmaster.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'scipy', 'soundfile', 'pydantic', 'matchering', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


REPORTING = """
import contextlib, sys
from refmaster.cli import main, screen

@contextlib.contextmanager
def reporting(wanted):
    yield lambda stage, done, total: print(stage, flush=True)

screen.progress_bar = reporting
main.run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["rendering", "measuring the master"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_the_old_output_is_untouched(music, tmp_path, number, stage):
    (tmp_path / "old.wav").write_bytes(b"old")
    job = [
        "master",
        music / "mix.wav",
        "-r",
        music / "reference.wav",
        "-o",
        tmp_path / "old.wav",
        "--overwrite",
    ]
    started = subprocess.Popen(
        [sys.executable, "-c", REPORTING, *job], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in started.stdout:
        if line.strip() == stage:
            started.send_signal(number)
            break
    started.stdout.close()
    assert started.wait() != 0
    assert (tmp_path / "old.wav").read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} == {"old.wav"}


def test_help_is_cheap():
    """CPU time, not wall time: nothing but the option parser may be loaded."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "refmaster", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0  # 0.15 s when idle
