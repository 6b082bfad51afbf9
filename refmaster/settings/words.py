"""The validator's errors in plain words: what is expected, in the terms of a YAML file.

Several alternatives for one value become one sentence: ``expected at most 100, or evidence, balanced or
full; found 400``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MAX_FOUND_CHARACTERS = 60

# By the validator's type of error; the names in braces are of the error's context.
_EXPECTED = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text of {min_length} or more characters",
    "too_short": "{min_length} or more items",
    "too_long": "at most {max_length} items",
    "literal_error": "{expected}",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
_SENTENCES = ("value_error", "assertion_error")  # ours: they need no "expected"
# Of these the count tells more than the items.
_COUNTED = ("too_short", "too_long")


def sentence(items: Sequence[Any]) -> str:
    """Return what is wrong with one value, from one or several errors of the validator that name it."""
    statements = [
        str(item["msg"]).removeprefix("Value error, ") for item in items if item["type"] in _SENTENCES
    ]
    if statements:
        return "; ".join(dict.fromkeys(statements))
    wanted = list(dict.fromkeys(_expected(item) for item in items))
    comma = "," if len(wanted) == 1 else ";"
    return f"expected {', or '.join(wanted)}{comma} found {_found(items[0])}"


def _expected(item: Any) -> str:
    form = _EXPECTED.get(item["type"])
    if form is None:
        return str(item["msg"]).removeprefix("Input should be ")
    context = {
        name: f"{value:g}" if isinstance(value, float) else value
        for name, value in item.get("ctx", {}).items()
    }
    return form.format(**context).replace("'", "")


def _found(item: Any) -> str:
    value = item.get("input")
    counted = item["type"] in _COUNTED and hasattr(value, "__len__")
    return str(len(value)) if counted else found_text(value)


def found_text(value: Any) -> str:
    """Return a value as a message quotes it: as JSON, cut where it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_FOUND_CHARACTERS else text[: MAX_FOUND_CHARACTERS - 3] + "..."
