"""The proof by breaking things: each fault is a row of a table, made for real, with bounds on what it may cost."""
