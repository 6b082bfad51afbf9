"""The public interface: every name is found, and nothing heavy is imported before it is used."""

import subprocess
import sys

import pytest

import refmaster


@pytest.mark.parametrize("name", refmaster.__all__)
def test_every_public_name_has_a_home(name):
    assert getattr(refmaster, name) is not None
    assert name in dir(refmaster)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        refmaster.nonsense  # noqa: B018 - asked for, not used


def test_the_package_alone_imports_nothing_heavy():
    code = "import sys, refmaster; sys.exit(bool({'numpy', 'pydantic', 'soundfile'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
