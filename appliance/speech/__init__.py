"""What is decided about speech and its text, without any engine: pure policy."""
