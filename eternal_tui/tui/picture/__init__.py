"""Widgets that show an image or play a video."""
