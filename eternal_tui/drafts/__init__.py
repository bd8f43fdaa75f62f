"""Drafts of requests, presets, snippets and prompt templates."""
