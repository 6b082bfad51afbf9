"""Rules of the house, read from the source: no code for tests alone, one name for each thing, short files."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "refmaster"
# Besides the package itself, what may be the reason for a public name: scripts that people run.
SCRIPTS = ("benchmarks", "configs", "docs", "fixtures")

MAX_FILES_IN_ROOT = 10
MAX_LINES = 450
MAX_README_LINES = 250

QUESTIONS = {"What", "Where", "Of", "How", "Which", "Who", "Why"}
# A function's docstring opens with a verb (or "Whether"), so not with one of these.
NO_VERBS = QUESTIONS | {
    "A",
    "All",
    "An",
    "Each",
    "Every",
    "It",
    "Its",
    "Nothing",
    "One",
    "The",
    "This",
    "True",
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """A parsed file."""

    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


@cache
def parsed(folder: str) -> tuple[Module, ...]:
    return tuple(
        Module(path, ast.parse(path.read_text("utf-8"))) for path in sorted((ROOT / folder).rglob("*.py"))
    )


def mentions(node: ast.AST) -> Counter[str]:
    """Count the names that are read below a node: variables, attributes, imports under another name."""
    found: Counter[str] = Counter()
    for below in ast.walk(node):
        if isinstance(below, ast.Name) and isinstance(below.ctx, ast.Load):
            found[below.id] += 1
        elif isinstance(below, ast.Attribute):
            found[below.attr] += 1
        elif isinstance(below, ast.ImportFrom):
            found.update(alias.name for alias in below.names if alias.asname not in (None, alias.name))
    return found


@cache
def mentioned() -> Counter[str]:
    """Count the names that the package and the scripts read."""
    modules = [module for folder in ("refmaster", *SCRIPTS) for module in parsed(folder)]
    return sum((mentions(module.tree) for module in modules), Counter[str]())


def entry_points() -> set[str]:
    """Return what others call by name: the public interface, and the command of the installed package."""
    from refmaster import __all__ as public

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {*public, *(target.rpartition(":")[2] for target in project["scripts"].values())}


def definitions(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the public names that statements define, with the statement."""
    for statement in body:
        if isinstance(statement, Definition):
            names = [statement.name]
        elif isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        else:
            names = []
        yield from ((name, statement) for name in names if not name.startswith("_"))


def is_registered(statement: ast.stmt) -> bool:
    """Whether a decorator hands a function to its framework, such as ``@app.command()``."""
    if not isinstance(statement, FUNCTIONS):
        return False
    decorators = (d.func if isinstance(d, ast.Call) else d for d in statement.decorator_list)
    return any(isinstance(d, ast.Attribute) and d.attr in ("command", "callback") for d in decorators)


@cache
def harmless_bases() -> set[str]:
    """Return the bases whose methods we know: the package's own classes, and those without callbacks."""
    trees = (module.tree for module in parsed("refmaster"))
    own = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    return {*own, "Protocol", "Generic", "Enum", "IntEnum", "Exception", "NamedTuple"}


def methods(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield public methods and properties, but those of classes that another library may call."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        if {ast.unparse(base).partition("[")[0] for base in node.bases} <= harmless_bases():
            yield from ((name, s) for name, s in definitions(node.body) if isinstance(s, FUNCTIONS))


def test_nothing_public_is_there_for_tests_alone() -> None:
    known, unused = entry_points(), []
    for module in parsed("refmaster"):
        public = [*definitions(module.tree.body), *methods(module.tree)]
        for name, statement in public:
            elsewhere = mentioned()[name] - mentions(statement)[name]
            if elsewhere <= 0 and name not in known and not is_registered(statement):
                unused.append(f"{module.name}:{statement.lineno}: {name}")
    assert not unused, "\n".join(["used by nothing but tests, if at all:", *unused])


def test_no_two_public_classes_share_a_name() -> None:
    homes = defaultdict(list)
    for module in parsed("refmaster"):
        for name, statement in definitions(module.tree.body):
            if isinstance(statement, ast.ClassDef):
                homes[name].append(module.name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_docstrings_open_with_their_subject_or_a_verb() -> None:
    wrong = []
    for module in parsed("refmaster"):
        for node in ast.walk(module.tree):
            if not isinstance(node, (ast.Module, *FUNCTIONS, ast.ClassDef)):
                continue
            text = ast.get_docstring(node) or ""
            first = re.split(r"[\s,:;]", text, maxsplit=1)[0]
            is_property = not isinstance(node, ast.Module) and any(
                "property" in ast.unparse(d) for d in node.decorator_list
            )
            refused = NO_VERBS if isinstance(node, FUNCTIONS) and not is_property else QUESTIONS
            if first in refused:
                line = 1 if isinstance(node, ast.Module) else node.lineno
                wrong.append(f"{module.name}:{line}: {text.splitlines()[0]}")
    assert not wrong, "\n".join(["subject or verb first:", *wrong])


def test_the_packages_root_is_small() -> None:
    files = sorted(path.name for path in PACKAGE.iterdir() if path.is_file())
    assert len(files) <= MAX_FILES_IN_ROOT, files


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text that people write, with its path."""
    folders = [*(f"{folder}/**/*" for folder in ("refmaster", "tests", *SCRIPTS)), ".ci/*", "*"]
    for path in sorted({path for pattern in folders for path in ROOT.glob(pattern)}):
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".html") or path.parent.name == ".ci":
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def test_files_can_be_read_in_one_sitting() -> None:
    lines = {name: text.count("\n") for name, text in texts()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}
    assert lines["README.md"] < MAX_README_LINES


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    roots = "|".join(("home", "opt", "root", "tmp", "Users", "work"))
    machine = re.compile(rf"(?<![\w.}}])/({roots})/")
    found = {name: match.group() for name, text in texts() if (match := machine.search(text))}
    assert found == {}
