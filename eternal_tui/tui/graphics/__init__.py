"""Backends that draw frames: block symbols, kitty, sixel, iTerm2, or words."""
