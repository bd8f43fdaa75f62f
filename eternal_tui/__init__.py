"""A keyboard-driven terminal workbench for EternalAI's asynchronous image and video generation."""

__version__ = "0.1.0"
