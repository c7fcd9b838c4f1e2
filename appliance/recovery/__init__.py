"""What to do when an engine fails or falls behind: functions of values, nothing else."""
