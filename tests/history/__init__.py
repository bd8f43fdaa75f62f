"""The history's tests."""
