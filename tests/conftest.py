"""Fixtures that more than one file of tests has."""

import os
from collections.abc import Iterator

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the appliance's workers; read when numpy is imported

import pytest
from call_site import Site
from stages import Appliance

from appliance.demo.softphone import Softphone


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Also what takes too long for every day: make chaos.")


@pytest.fixture(scope="session")
def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for everything."""
    return bool(request.config.getoption("--long"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        late = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if item not in late]


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    """Shared memory of its own, for stages that run as threads."""
    made = Appliance()
    yield made
    made.close()


@pytest.fixture
def ann(site: Site) -> Iterator[Softphone]:
    """A phone of the `site` that a file of tests has; so is `ben`."""
    with site.phone("ann") as phone:
        yield phone


@pytest.fixture
def ben(site: Site) -> Iterator[Softphone]:
    with site.phone("ben") as phone:
        yield phone
