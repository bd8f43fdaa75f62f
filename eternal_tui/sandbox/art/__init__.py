"""Procedural artwork for sandbox results."""
