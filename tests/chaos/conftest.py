"""Marks the faults, and prints what became of them."""

from pathlib import Path

import pytest

from appliance.drill.table import lines
from chaos.table import RESULTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.fault)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if RESULTS:
        terminalreporter.write_sep("-", "faults")
        for line in lines(sorted(RESULTS, key=lambda each: each[0].number)):
            terminalreporter.write_line(line)
