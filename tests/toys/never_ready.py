"""A process that never finishes loading."""

from appliance.supervision.context import Context
from toys.hanging import hang_in_this_function


def main(_ctx: Context) -> None:
    """Load for ever."""
    hang_in_this_function()
