"""File names on screens and in documents."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmaster.errors import InputError, SettingsError
from refmaster.io.names import check_text, shown, shown_line
from refmaster.settings.document import parse_document
from refmaster.settings.emit import emit_model
from refmaster.settings.model import Model, validate_document


class Named(Model):
    """A document that names a file."""

    file: str


NAMES = st.text(st.characters(categories=["C", "L", "N", "P", "S", "Z"]))


@given(NAMES)
def test_nothing_that_a_terminal_acts_on_is_shown(name: str) -> None:
    line = shown_line(name)
    assert line.encode().decode() == line
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line)
    assert json.loads(shown(json.dumps(name, ensure_ascii=False))) == name


@pytest.mark.parametrize(
    "name", ["plain name.wav", "\u00e4\u00f6 \u65e5\u672c\u3000\u8a9e.wav", "a\u0301\U0001f600.wav"]
)
def test_names_that_can_be_read_stay_as_they_are(name: str) -> None:
    assert shown_line(name) == name


def test_escapes() -> None:
    assert shown_line("a\x1b[31m\n\x9b\u202e\udce9") == "a\\u001b[31m\\n\\u009b\\u202e\\udce9"
    assert shown("two\nlines") == "two\nlines"


@given(NAMES)
def test_documents_give_every_name_back_or_say_that_they_cannot(name: str) -> None:
    try:
        text = emit_model(Named(file=name), header=f"Of {name}.")
    except SettingsError as error:
        assert "not UTF-8" in str(error)  # noqa: PT017 - most names do not raise
        assert any(0xD800 <= ord(c) <= 0xDFFF for c in name)
        return
    assert validate_document(Named, parse_document(text, name="x")).file == name


def test_files_that_no_document_can_name(tmp_path: Path) -> None:
    bad = os.fsdecode(b"caf\xe9.wav")
    check_text([tmp_path / "a\n\x1b.wav"], tmp_path)
    for path in (tmp_path / bad, tmp_path / bad / "a.wav"):
        with pytest.raises(InputError, match=r"caf\\udce9.*not named in UTF-8.*rename"):
            check_text([tmp_path / "a.wav", path], tmp_path)
