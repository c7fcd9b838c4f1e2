"""What this box can carry: benchmarks that print a machine, measurements and targets."""
