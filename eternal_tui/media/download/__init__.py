"""Downloading results and avatars."""
