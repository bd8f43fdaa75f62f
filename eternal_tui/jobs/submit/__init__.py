"""Sending paid requests."""
