"""Output names from templates: ``{artist} - {title} ({target}){ext}``."""

from __future__ import annotations

import difflib
import re
import string
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from refmaster.errors import AudioError, SettingsError
from refmaster.io.suffixes import is_url

TAG_FIELDS = {
    "artist": "artist",
    "album": "album",
    "track": "tracknumber",
    "year": "date",
    "genre": "genre",
    "tag_title": "title",
}
FIELDS = ("title", "stem", "ext", "target", "reference", "date", "kind", *TAG_FIELDS)
DATE = "{date}"  # left open until the task first runs, so that a later day does not make it another task
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]+')
_MOST_BYTES = 200


def template_fields(template: str) -> list[str]:
    """Return the fields that a template uses.

    Raises
    ------
    SettingsError
        It is malformed or names an unknown field.
    """
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise SettingsError(f"the template {template!r} is malformed: {error}") from None
    fields = []
    for _, name, form, conversion in parsed:
        if name is None:
            continue
        if name not in FIELDS:
            close = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {{{close[0]}}}?" if close else f"known: {', '.join(FIELDS)}"
            raise SettingsError(f"unknown field {{{name}}}; {hint}")
        if form or conversion:
            raise SettingsError(f"{{{name}}} takes no format, found {template!r}")
        fields.append(name)
    return fields


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the name; values are made safe for file names, ``{date}`` stays.

    Raises
    ------
    SettingsError
        A value is missing, or the name leaves the output folder.
    """
    safe = {"date": DATE}
    for field in template_fields(template):
        if field == "date":
            continue
        value = safe_part(values.get(field, ""), keep_dot=field == "ext")
        if not value:
            raise SettingsError(f"{{{field}}} is empty for {values.get('stem', 'this job')!r}")
        safe[field] = value
    name = unicodedata.normalize("NFC", template.format_map(safe))
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\\" in name:
        raise SettingsError(f"expected a name inside the output folder, found {name!r}")
    return name


def safe_part(text: str, *, keep_dot: bool = False) -> str:
    """Return text that can be part of a file name anywhere."""
    clean = _UNSAFE.sub("-", text).strip(" ")
    clean = clean if keep_dot else clean.strip(".").strip(" ")
    return clean.encode()[:_MOST_BYTES].decode(errors="ignore")


def tag_values(location: str) -> dict[str, str]:
    """Return the values of a recording's tag fields; tags that it does not have are missing."""
    if is_url(location):
        return {}
    from refmaster.io.metadata.copy import read_fields

    try:
        found = read_fields(Path(location))
    except AudioError:
        return {}
    values = {field: found[tag][0] for field, tag in TAG_FIELDS.items() if found.get(tag)}
    if "year" in values:
        values["year"] = values["year"][:4]
    if "track" in values:
        values["track"] = values["track"].split("/")[0].zfill(2)
    return values
