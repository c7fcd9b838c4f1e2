"""XTTS v2 for many calls at once: loading it, its language model, its vocoder."""
