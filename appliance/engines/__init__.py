"""Recognition, translation and synthesis behind three protocols."""
