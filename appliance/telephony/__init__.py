"""Asterisk: its REST interface, its configuration, and the rooms and legs of a call."""
