"""XTTS v2 needs torch, which the appliance installs only where it is asked to: without it this folder is skipped."""

from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if find_spec("torch") is None:
    collect_ignore_glob = ["*"]
else:
    from appliance.bench.xtts_weights import make_checkpoint

    @pytest.fixture(scope="session")
    def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder with a random XTTS v2 of two layers, in the published layout. Nobody writes into it."""
        return make_checkpoint(tmp_path_factory.mktemp("xtts") / "tiny")
