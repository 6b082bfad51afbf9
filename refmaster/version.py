"""The version, and the name that plans and profiles carry."""

from __future__ import annotations

__version__ = "0.1.0"


def made_by() -> str:
    """Return the name and version that plans and profiles carry."""
    return f"refmaster {__version__}"
