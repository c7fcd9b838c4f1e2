"""Processes: which exist, how they start, live, are judged and end."""
