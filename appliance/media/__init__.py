"""Audio on its way between wire and frame: pure functions and state machines, no I/O."""
