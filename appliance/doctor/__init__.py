"""Examines a machine before it carries calls: what is found, and what to do about it."""
