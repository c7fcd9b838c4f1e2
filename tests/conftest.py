"""Fixtures that more than one file of tests has."""

from collections.abc import Iterator

import pytest
from stages import Appliance


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    """Shared memory of its own, for stages that run as threads."""
    made = Appliance()
    yield made
    made.close()
