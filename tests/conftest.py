"""Fixtures that more than one file of tests has."""

import os
from collections.abc import Iterator

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the appliance's workers; read when numpy is imported

import pytest
from stages import Appliance


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    """Shared memory of its own, for stages that run as threads."""
    made = Appliance()
    yield made
    made.close()
