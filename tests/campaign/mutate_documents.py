"""Damage to YAML documents: in their structure, in their bytes, random ones, and a table of special ones."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 0.5, -0.5, 1e-308, 1e-6, 100, 1000, 48000, 10**6, 10**18, 10**99,
    -(10**99), 1e308, -1e308, float("inf"), float("nan"), "", "x", "mix.wav", "profile.yaml", "a\0b", "a\nb",
    "\u202e", "é" * 300, "x" * 5000, "..", "{title}", "${HOME}", "$NOWHERE", "1e3", "no", "*", "[", [], {},
    [[]], [{}], [None], {"": None}, [0, 0], [1e308, 1e308], [[100, 1], [50, 2]], {"file": "mix.wav"},
    list(range(300)),
)  # fmt: skip
_PIECES = (
    "a", "b", "version: 1\n", "tracks:", "jobs:\n", ": ", "- ", "? ", "[", "]", "{", "}", ", ", "\n", "\n  ",
    "&x ", "*x", "<<: *x", "!!int ", "!!float ''", "!t ", "!!binary x", "1e999", ".inf", "'", '"', "|\n",
    ">-\n", "#", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "\t", "\0", "\ufeff", "\\x", "é",
    "\u2028", "\x85", "\x07", "9" * 400, "mix",
)  # fmt: skip


def structural(text: str, rng: random.Random, others: list[str]) -> str:
    """Change one to three places of a document's data."""
    data = yaml.safe_load(text)
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = list(_places(data))
        if not places:
            break
        parent, key = rng.choice(rng.choice(_by_parent(places)))
        action = rng.randrange(8)
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, dict):
            parent[rng.choice(["", "x", "fiel", "a\nb", f"{key} ", str(key).upper()])] = parent.pop(key)
        elif action == 2 and isinstance(parent, list):
            parent.extend(copy.deepcopy(parent[:50]) * rng.choice([1, 20]))
        elif action == 3:
            parent[key] = copy.deepcopy(rng.choice(places)[0])
        elif action == 4 and isinstance(parent[key], int | float):
            parent[key] = parent[key] * rng.choice([-1, 0, 10, 1000, 1e-9, 1e9, 1e300])
        elif action == 5:
            parent[key] = yaml.safe_load(rng.choice(others))
        else:
            parent[key] = copy.deepcopy(rng.choice(_ODD))
    flow = rng.choice([None, True, False])
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=flow)


def _by_parent(places: list[tuple[Any, Any]]) -> list[list[tuple[Any, Any]]]:
    """Return the places of mappings and of lists apart: long lists would take nearly every change."""
    groups = [[p for p in places if isinstance(p[0], kind)] for kind in (dict, list)]
    return [group for group in groups if group]


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _places(value)


def gentle(text: str, rng: random.Random, _: list[str]) -> str:
    """Change one to ten numbers of a document by a little, so that most of it is taken."""
    data = yaml.safe_load(text)
    numbers = [(parent, key) for parent, key in _places(data) if type(parent[key]) in (int, float)]
    for parent, key in rng.choices(numbers, k=rng.choice([1, 3, 10])):
        changed = parent[key] * rng.choice([0, -1, 0.1, 0.9, 1.1, 3, 10]) + rng.choice([0, 0, 0, 1, -1])
        parent[key] = type(parent[key])(changed)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def textual(text: str, rng: random.Random, others: list[str]) -> str:
    """Change one to five places of a document's text."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice([0, 1, 1, 3, 50]))
        lines = text.split("\n")
        action = rng.randrange(6)
        if action == 0:
            del lines[rng.randrange(len(lines))]
            text = "\n".join(lines)
        elif action == 1:
            number = rng.randrange(len(lines))
            lines[number] = rng.choice(["  ", " ", "- ", "\t", "#", "? "]) + lines[number]
            text = "\n".join(lines)
        elif action == 2:
            text = text[:at]
        elif action == 3:
            text += rng.choice(others)
        else:
            text = text[:at] + rng.choice(_PIECES) + text[end:]
    return text


def noise(text: str, rng: random.Random, _: list[str]) -> bytes:
    """Change bytes."""
    data = bytearray(text.encode())
    for _ in range(rng.choice([1, 3, 30])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def soup(_: str, rng: random.Random, __: list[str]) -> str:
    """Return pieces of YAML in no order."""
    return "".join(rng.choices(_PIECES, k=rng.choice([1, 5, 30, 300])))


MUTATIONS: tuple[Callable[[str, random.Random, list[str]], str | bytes], ...] = (
    structural, structural, structural, gentle, gentle, gentle, gentle, textual, textual, noise, soup,
)  # fmt: skip


def mutated(text: str, rng: random.Random, others: list[str]) -> tuple[bytes, str]:
    """Return a damaged document and what was done to it; `others` are good documents of all kinds."""
    mutation = rng.choice(MUTATIONS)
    damaged = mutation(text, rng, others)
    return damaged if isinstance(damaged, bytes) else damaged.encode(
        "utf-8", "surrogatepass"
    ), mutation.__name__


def _bomb(levels: int, width: int) -> str:
    rows = [f"a0: &a0 [{'1, ' * width}]"]
    return "\n".join([*rows, *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * width}]" for i in range(1, levels))])


# Each is tried as every kind of document that has bounds of its own ...
_OF_ANY_KIND: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "a scalar": lambda: "x",
    "a tag that does not fit": lambda: "version: !!int foo",
    "an empty float": lambda: 'version: !!float ""',
    "5,000 digits": lambda: f"version: {'9' * 5000}",
    "an exponent of 5,000 digits": lambda: f"version: 1e{'9' * 5000}",
    "nested 500 deep": lambda: "version: " + "[" * 500 + "]" * 500,
    "200,000 brackets": lambda: "[" * 200_000,
    "200,000 dashes": lambda: "- " * 200_000,
    "200,000 mappings": lambda: "{a: " * 200_000,
    "nested through aliases": lambda: "\n".join(
        ["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 3000))]
    ),
    "aliases, ten of ten of ten": lambda: _bomb(9, 10),
    "aliases, two of two of two": lambda: _bomb(40, 2),
    "aliases, many of many": lambda: _bomb(4, 2000),
    "an alias into itself": lambda: "version: &x [*x]",
    "10 MB of keys": lambda: "version: 1\n" + "".join(f"k{i}: \n" for i in range(1_000_000)),
    "3.9 MB of keys": lambda: "version: 1\n" + "".join(f"k{i}: \n" for i in range(390_000)),
    "90,000 keys": lambda: "version: 1\n" + "".join(f"k{i}: \n" for i in range(90_000)),
    "60 MB": lambda: "a: 1\n" * 12_000_000,
    "one text of 3 MB": lambda: f"version: {'x' * 3_000_000}",
    "one key of 3 MB": lambda: f"? {'x' * 3_000_000}\n: 1",
    "an anchor of 3 MB": lambda: f"version: &{'x' * 3_000_000} 1",
    "many anchors": lambda: "".join(f"- &a{i} 1\n" for i in range(200_000)),
    "many merges": lambda: "a: &a {}\nb: {" + "<<: *a, " * 100_000 + "}",
    "tag directives": lambda: "".join(f"%TAG !a{i}! x\n" for i in range(200_000)) + "---\na: 1",
    "many documents": lambda: "---\n" * 500_000,
    "many lines": lambda: "\n" * 3_000_000,
    "null characters": lambda: (
        'version: 1\nmix: "a\\0b"\ntracks: [{file: "a\\0b"}]\njobs: [{mix: "a\\0b"}]\n'
    ),
}
# ... and these as one kind.
_OF_ALBUMS: dict[str, Callable[[], str]] = {
    "200,000 tracks that are no tracks": lambda: "version: 1\ntracks: [" + "1, " * 200_000 + "]",
    "100,000 tracks without a file": lambda: "version: 1\ntracks: [" + "{}, " * 100_000 + "]",
}
_OF_JOBS: dict[str, Callable[[], str]] = {
    "a million jobs that are no jobs": lambda: "version: 1\njobs: [" + "1, " * 1_000_000 + "]",
    "100,000 jobs without a mix": lambda: "version: 1\njobs: [" + "{}, " * 100_000 + "]",
    "9,000 jobs of no kind": lambda: "version: 1\njobs: [" + "{kind: x}, " * 9_000 + "]",
    "20,000 jobs without their files": lambda: (
        "version: 1\njobs:\n"
        + "".join(f"  - {{mix: none{i}.wav, reference: none.wav}}\n" for i in range(20_000))
    ),
    "references without end": lambda: (
        "version: 1\nreferences: {" + "".join(f"r{i}: x, " for i in range(90_000)) + "}"
    ),
    "itself": lambda: "version: 1\ninclude: input.yaml\njobs: []\n",
    "itself, many times": lambda: "version: 1\ninclude: [" + "input.yaml, " * 50_000 + "]\njobs: []\n",
}
_OF_PROFILES: dict[str, Callable[[], str]] = {
    "a profile of texts": lambda: (
        "version: 1\nseries: {hop_s: 0.1, momentary_lufs: [" + "x, " * 990_000 + "]}"
    ),
    "a profile of empty rows": lambda: "version: 1\nevidence: {segment_mid_db: [" + "[], " * 240_000 + "]}",
}
SPECIAL: list[tuple[str, str, Callable[[], str]]] = [
    *((kind, name, text) for name, text in _OF_ANY_KIND.items() for kind in ("plan", "profile", "jobs")),
    *(("album", name, text) for name, text in _OF_ALBUMS.items()),
    *(("jobs", name, text) for name, text in _OF_JOBS.items()),
    *(("profile", name, text) for name, text in _OF_PROFILES.items()),
]
"""Kind of document, name, and how it is written."""
