"""Errors in the words of the command line, and as JSON."""

import json

import pytest

from refmaster.cli.complaints import message_of
from refmaster.errors import OutputError


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["measure", "none.wav"], "AudioError", "none.wav: no such file"),
        (["master", "{mix}", "-r", "{ref}", "-o", "m.wav", "--strength", "x"], "SettingsError", "--strength"),
        (["master", "{mix}", "-r", "{ref}", "-o", "{mix}", "--overwrite"], "OutputError", "mix.wav"),
        (["master", "{mix}", "-o", "m.wav"], "UsageError", "--reference"),
        (["targets", "--nonsense"], "UsageError", "--nonsense"),
    ],
)
def test_an_error_is_json_too_where_json_is_asked_for(command, music, arguments, kind, message):
    places = {"mix": music / "mix.wav", "ref": music / "reference.wav"}
    arguments = [argument.format(**places) for argument in arguments]
    code, out, err = command(*arguments, "--json")
    assert code == 2
    found = json.loads(out)["error"]
    assert found["kind"] == kind
    assert message in found["message"]
    assert message in err
    assert command(*arguments)[1] == ""


def test_a_fault_is_json_too(command, music, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr("refmaster.mastering.plan_file", fail)
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "p.yaml")
    code, out, err = command(*job, "--json")
    assert code == 3
    assert json.loads(out)["error"]["kind"] == "Fault"
    assert "Traceback" in err


def test_arguments_of_the_library_are_options_here(command, music, tmp_path):
    (tmp_path / "p.yaml").write_text("mine")
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", tmp_path / "p.yaml")
    code, _, err = command(*job)
    assert code == 2
    assert "exists already; use --overwrite to replace it" in err
    assert (
        message_of(OutputError("convert with sample_rate_hz=48000 or"))
        == "convert with --sample-rate 48000 or"
    )


def test_another_mix_than_the_plans_is_named_with_the_option(command, music, tmp_path):
    plan = tmp_path / "p.yaml"
    job = ("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", plan, "-q")
    assert command(*job)[0] == 0
    lines = plan.read_text().splitlines()
    plan.write_text("\n".join(line.replace("mix.wav", "reference.wav") for line in lines))
    code, _, err = command("render", plan, "-o", tmp_path / "m.wav")
    assert code == 2
    assert "name the file with --mix to render it all the same" in " ".join(err.split())


def test_a_document_of_another_kind_is_named_with_what_takes_it(command, music, tmp_path):
    plan = tmp_path / "p.yaml"
    assert command("plan", music / "mix.wav", "-r", music / "reference.wav", "-o", plan, "-q")[0] == 0
    code, _, err = command("master", music / "mix.wav", "-r", plan, "-o", tmp_path / "m.wav")
    assert code == 2
    assert err == (
        f"refmaster: {plan}: this is a plan, expected a saved profile; it goes with: refmaster render {plan} "
        "-o MASTER\n"
    )
    profile = tmp_path / "ref.yaml"
    assert command("measure", music / "reference.wav", "--save", profile, "-q")[0] == 0
    _, _, err = command("render", profile, "-o", tmp_path / "m.wav")
    assert "this is a saved profile, expected a plan; it goes with: refmaster master MIX --reference" in err
    _, _, err = command("batch", profile)
    assert "this is a saved profile, expected a jobs file" in err
