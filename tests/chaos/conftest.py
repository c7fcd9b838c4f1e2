"""Prints what became of the faults."""

import pytest

from appliance.drill.table import lines
from chaos.table import RESULTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if RESULTS:
        terminalreporter.write_sep("-", "faults")
        for line in lines(sorted(RESULTS, key=lambda each: each[0].number)):
            terminalreporter.write_line(line)
