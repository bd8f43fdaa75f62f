"""Certificates of a test's own. What needs one is left out, and says so, where there is no openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def make_certificate(name: str, folder: Path) -> Path:
    """Make a fresh self-signed certificate for this one name; return the file that holds it and its key, as PEM."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt install openssl")
    made = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", "key.pem", "-out", made.name],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    made.write_bytes((folder / "key.pem").read_bytes() + made.read_bytes())
    return made
