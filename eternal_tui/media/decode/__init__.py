"""Detecting, validating and decoding images and videos."""
