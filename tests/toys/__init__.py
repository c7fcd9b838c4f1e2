"""Toy processes, each with one way to behave, for a real watchdog to look after."""
