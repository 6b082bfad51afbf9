"""Whatever a file holds, the library takes it or refuses it with an `InputError`, soon and in little memory.

Input number N is made from the seed N and is the same each time. A fault is any other exception, the end of
the process, more than 10 s of work or more than 1 GB for one input.

``pytest -m slow tests/campaign --campaign-minutes 60`` tries for longer, ``--campaign-first 100000`` tries
others, ``--campaign-only audio:17`` tries one again.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from . import mutate_audio, mutate_documents, seeds
from .parent import Answer, Child

pytestmark = pytest.mark.slow

# Of the time; the special documents are few, and all tried.
SHARES = {"audio": 0.45, "documents": 0.3, "special": 0.25}


@dataclass(frozen=True)
class Input:
    """One hostile file: its name for the report, the door it is brought to, and how it is written."""

    label: str
    kind: str
    made_by: str
    suffix: str
    content: bytes


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good inputs, in which the hostile ones stand as well."""
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture(scope="module")
def documents(grounds: Path, example_mix: Path, example_reference: Path) -> dict[str, str]:
    """Good documents by kind."""
    made = seeds.make_documents(grounds, example_mix, example_reference)
    return {kind: path.read_text() for kind, path in made.items()}


@pytest.fixture(scope="module")
def recordings(grounds: Path, example_mix: Path) -> list[tuple[str, bytes]]:
    """Good recordings of every format."""
    folder = grounds / "audio"
    folder.mkdir()
    return [(path.name, path.read_bytes()) for path in seeds.make_audio(folder, example_mix)]


def hostile_audio(recordings: list[tuple[str, bytes]], number: int) -> Input:
    rng = random.Random(f"audio:{number}")
    (name, data), (_, other) = rng.choice(recordings), rng.choice(recordings)
    content, made_by = mutate_audio.mutated(data, rng, other)
    kind = rng.choice(["audio", "audio", "audio", "reference"])
    suffix = rng.choice(recordings)[0] if rng.random() < 0.05 else name
    return Input(f"audio:{number}", kind, f"{name}: {made_by}", Path(suffix).suffix, content)


def hostile_document(documents: dict[str, str], number: int) -> Input:
    rng = random.Random(f"documents:{number}")
    kind = rng.choice(list(documents))
    content, made_by = mutate_documents.mutated(documents[kind], rng, list(documents.values()))
    return Input(f"documents:{number}", kind, f"{kind}: {made_by}", ".yaml", content)


def special_document(number: int) -> Input:
    kind, name, text = mutate_documents.SPECIAL[number]
    return Input(f"special:{number}", kind, f"{kind}: {name}", ".yaml", text().encode())


def tried(grounds: Path, inputs: Iterator[Input], until: Callable[[], bool]) -> list[str]:
    """Try inputs and return a line for each distinct fault; print what was tried."""
    counts = {"taken": 0, "refused": 0, "fault": 0}
    faults: dict[tuple[str, str], list[Input]] = {}
    with Child(grounds / "scratch", grounds) as child:
        for each in inputs:
            path = grounds / f"input{each.suffix}"
            path.write_bytes(each.content)
            answer = child.take(each.kind, path)
            counts[answer.outcome] += 1
            if answer.outcome == "fault":
                faults.setdefault((answer.what.split(":")[0], answer.where), []).append(each)
                print(_line(each, answer), flush=True)
            path.unlink()
            if until():
                break
    total = sum(counts.values())
    print(f"tried {total}: {counts['taken']} taken, {counts['refused']} refused, {counts['fault']} faults")
    return [
        f"{what} | {where} | {len(found)} times, first {found[0].label} ({found[0].kind}, {found[0].made_by})"
        for (what, where), found in faults.items()
    ]


def _line(each: Input, answer: Answer) -> str:
    return f"{each.label} | {each.kind} | {each.made_by} | {answer.what} | {answer.where}"


@pytest.mark.parametrize("area", list(SHARES))
def test_hostile_inputs_are_taken_or_refused(
    area: str,
    grounds: Path,
    documents: dict[str, str],
    recordings: list[tuple[str, bytes]],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    option = request.config.getoption
    minutes, first = option("--campaign-minutes", 4.0), option("--campaign-first", 0)
    only = [label.partition(":") for label in option("--campaign-only", None) or []]
    numbers = range(len(mutate_documents.SPECIAL)) if area == "special" else itertools.count(first)
    if only:
        numbers = [int(number) for name, _, number in only if name == area]
    make: Callable[[int], Input] = {
        "audio": lambda number: hostile_audio(recordings, number),
        "documents": lambda number: hostile_document(documents, number),
        "special": special_document,
    }[area]
    end = time.monotonic() + 60.0 * minutes * SHARES[area]
    with capsys.disabled():
        print(f"\n{area}:", end=" ", flush=True)
        faults = tried(grounds, map(make, numbers), lambda: area != "special" and time.monotonic() > end)
    assert not faults, "\n".join(faults)


def test_the_good_inputs_are_taken(
    grounds: Path, documents: dict[str, str], recordings: list[tuple[str, bytes]]
) -> None:
    assert all(yaml.safe_load(text) for text in documents.values())
    good = [Input(kind, kind, kind, ".yaml", text.encode()) for kind, text in documents.items()]
    good += [Input(name, "audio", name, Path(name).suffix, data) for name, data in recordings]
    with Child(grounds / "scratch", grounds) as child:
        for each in good:
            path = grounds / f"input{each.suffix}"
            path.write_bytes(each.content)
            assert child.take(each.kind, path) == Answer("taken"), each.label
