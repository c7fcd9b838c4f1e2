"""Fire drills: faults that are made on purpose, what each may cost, and what it did cost."""
