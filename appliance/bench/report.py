"""What every benchmark hands back: the machine, what was measured, which targets hold; as JSON or as a table."""

import os
import platform
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

MISSED = 3  # exit status
MOST_COLUMNS = 8  # of a table that compares


class Machine(msgspec.Struct, frozen=True):
    """What a measurement was made on; without it a number means nothing."""

    cpu: str
    cores: int
    load_average: tuple[float, float, float]  # over 1, 5 and 15 minutes, when the report was made
    kernel: str
    python: str


class Measurement(msgspec.Struct, frozen=True):
    """One number about `subject` (one of those compared)."""

    subject: str
    name: str
    value: float
    unit: str


class Target(msgspec.Struct, frozen=True):
    """What a number must be; make it with `at_most` or `at_least`."""

    name: str
    value: float
    bound: float
    holds: bool
    direction: Literal["at most", "at least"]
    unit: str


class Report(msgspec.Struct, frozen=True):
    """A benchmark's whole result."""

    machine: Machine
    measurements: tuple[Measurement, ...]
    targets: tuple[Target, ...]

    @property
    def exit_status(self) -> int:
        """0, or 3 when a target is missed."""
        return 0 if all(target.holds for target in self.targets) else MISSED

    def json(self) -> str:
        """One JSON object with `machine`, `measurements` and `targets`."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def print(self, console: Console) -> None:
        """Write the measurements, then the targets, then the machine."""
        console.print(Group(_measurements(self.measurements), _targets(self.targets), _machine(self.machine)))


def at_most(name: str, value: float, bound: float, unit: str = "") -> Target:
    """`value` must not exceed `bound`."""
    return Target(name, value, bound, value <= bound, "at most", unit)


def at_least(name: str, value: float, bound: float, unit: str = "") -> Target:
    """`value` must reach `bound`."""
    return Target(name, value, bound, value >= bound, "at least", unit)


def this_machine() -> Machine:
    """The machine that this process runs on, as it is now."""
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        load_average=os.getloadavg(),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()  # ARM names no model


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _measurements(measurements: tuple[Measurement, ...]) -> RenderableType:
    """One row per subject and one column per measurement, or, where those are many, one row for each number."""
    columns = list(dict.fromkeys((one.name, one.unit) for one in measurements))
    return _list(measurements) if len(columns) > MOST_COLUMNS else _comparison(measurements, columns)


def _comparison(measurements: tuple[Measurement, ...], columns: list[tuple[str, str]]) -> Table:
    values = {(one.subject, one.name): _figure(one.value) for one in measurements}
    table = Table("", *(f"{name} ({unit})" if unit else name for name, unit in columns), title="Measurements")
    for column in table.columns[1:]:
        column.justify = "right"
    for subject in dict.fromkeys(one.subject for one in measurements):
        table.add_row(subject, *(values.get((subject, name), "") for name, _ in columns))
    return table


def _list(measurements: tuple[Measurement, ...]) -> Table:
    table = Table("", "", "value", "", title="Measurements", show_header=False)
    table.columns[2].justify = "right"
    before = ""
    for one in measurements:
        table.add_row(one.subject if one.subject != before else "", one.name, _figure(one.value), one.unit)
        before = one.subject
    return table


def _targets(targets: tuple[Target, ...]) -> RenderableType:
    table = Table("", "value", "bound", "", title="Targets")
    for target in targets:
        verdict = Text("holds", style="green") if target.holds else Text("missed", style="bold red")
        bound = f"{target.direction} {_figure(target.bound)} {target.unit}".rstrip()
        table.add_row(target.name, f"{_figure(target.value)} {target.unit}".rstrip(), bound, verdict)
    return table


def _machine(machine: Machine) -> RenderableType:
    loads = " ".join(f"{load:.2f}" for load in machine.load_average)
    return Text(
        f"{machine.cpu}, {machine.cores} cores, load {loads}, {machine.kernel}, Python {machine.python}", style="dim"
    )
