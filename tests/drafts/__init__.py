"""Drafts, presets, templates and the editor."""
