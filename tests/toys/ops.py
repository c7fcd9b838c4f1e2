"""The real process `ops`, in a toy appliance."""

from procs.ops import main

__all__ = ["main"]
