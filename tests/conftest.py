"""Fixtures shared by every floor of the suite."""
