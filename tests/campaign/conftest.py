"""The campaign's options."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("campaign", "hostile inputs (tests/campaign, marker slow)")
    group.addoption(
        "--campaign-minutes", type=float, default=4.0, help="how long to try, in all; 4 otherwise"
    )
    group.addoption("--campaign-first", type=int, default=0, help="number of the first input; 0 otherwise")
    group.addoption(
        "--campaign-only", action="append", help="one input to try again, as 'audio:17', as reported"
    )
