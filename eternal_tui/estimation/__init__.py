"""Durations of jobs and poll intervals, computed from observations."""
