"""No finding without its tests: every code in the source has a provoking case and a near miss."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PACKAGE = TESTS.parent / "refmaster"
MAKERS = {"info", "warning", "broken"}

# The files whose `CASES` cover the codes of a room of the package.
CASES_OF = {
    "check": (
        "check/test_clicks.py",
        "check/test_codecs.py",
        "check/test_delivery.py",
        "check/test_edges.py",
        "check/test_levels.py",
        "check/test_noise.py",
        "check/test_origin.py",
        "check/test_playback.py",
        "check/test_preflight.py",
        "check/test_promises.py",
        "check/test_repair.py",
        "check/test_stereo.py",
        "check/test_tone.py",
        "check/test_vinyl.py",
    ),
    "rendering": ("check/test_other_rooms.py",),
    "engines": ("check/test_other_rooms.py",),
    "comparison": ("check/test_other_rooms.py",),
    "album": ("album/test_findings.py",),
    "release": ("release/test_findings.py",),
    "delivery": ("delivery/test_verify.py",),
}


def codes_made() -> dict[str, set[str]]:
    """Collect the codes that each room of the package makes findings with."""
    made: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        makers = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "refmaster.check.findings"
            for alias in node.names
            if alias.name in MAKERS | {"Finding"}
        }
        for node in ast.walk(tree):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers
            ):
                continue
            place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
            assert node.func.id != "Finding", f"{place}: make findings with {sorted(MAKERS)}"
            code = node.args[0]
            if isinstance(code, ast.Attribute) and code.attr == "code":
                continue  # another finding, told in other words
            assert isinstance(code, ast.Constant), f"{place}: a code is written out where it is used"
            made[path.relative_to(PACKAGE).parts[0]].add(str(code.value))
    return made


def codes_covered(file: str) -> set[str]:
    """Collect the keys of the `CASES` in a file of tests, each of which has its two cases."""
    for node in ast.parse((TESTS / file).read_text("utf-8")).body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "CASES"
        ):
            assert isinstance(node.value, ast.Dict)
            assert all(isinstance(v, ast.Tuple) and len(v.elts) == 2 for v in node.value.values)
            return {ast.literal_eval(key) for key in node.value.keys if key is not None}
    raise AssertionError(f"{file} has no CASES")


def test_every_code_has_a_provoking_case_and_a_near_miss() -> None:
    made = codes_made()
    assert made.keys() <= CASES_OF.keys(), "name the file that covers this room's findings in CASES_OF"
    covered = {room: set().union(*map(codes_covered, files)) for room, files in CASES_OF.items()}
    missing = {f"{room}: {code}" for room, codes in made.items() for code in codes - covered[room]}
    assert not missing
    gone = {code for codes in covered.values() for code in codes} - {
        c for codes in made.values() for c in codes
    }
    assert not gone, "no finding has these codes"
