"""A process whose engine cannot be loaded."""

from appliance.engines.protocols import EngineError
from appliance.supervision.context import Context


def main(_ctx: Context) -> None:
    """Say why, and end."""
    raise EngineError("the model of the toy is missing; buy a new toy")
