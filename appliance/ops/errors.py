"""What can go wrong between operators and the process `ops`."""


class OpsError(Exception):
    """The operators' pages cannot be served, or cannot be reached; the message is one sentence."""
