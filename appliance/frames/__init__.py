"""Frames between processes: shared memory, rings, and the messages in them."""
