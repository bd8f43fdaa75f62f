"""Drafts, presets, and whom a typed name means."""
