"""Signed, expiring links to result files."""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from eternal_tui.sandbox.simulator import SandboxJob


class LinkSigner:
    """Signs paths with a secret of its own; every signature is fresh."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._secret = rng.randbytes(32)

    def path_of(self, job: SandboxJob) -> str:
        """The path of a job's file, dated by when the job was made."""
        made = datetime.fromtimestamp(job.created_at, UTC)
        prefix, suffix = ("vid", "mp4") if job.request.kind == "video" else ("img", "jpg")
        return f"/agent_data/{made:%Y/%m/%d}/{prefix}-generated-{job.request_id}_{int(made.timestamp())}.{suffix}"

    def _signature(self, path: str, expires: str, nonce: str) -> str:
        return hmac.new(self._secret, f"{path}\n{expires}\n{nonce}".encode(), hashlib.sha256).hexdigest()

    def sign(self, path: str, expires_at: float) -> str:
        """Return the query that opens ``path`` until ``expires_at`` (seconds since the epoch)."""
        expires, nonce = str(int(expires_at)), self._rng.randbytes(6).hex()
        return f"Expires={expires}&Nonce={nonce}&Signature={self._signature(path, expires, nonce)}"

    def rejection_reason(self, path: str, query: Mapping[str, str], now: float) -> str | None:
        """Why a link does not open its file, or None when it does."""
        expires, nonce = query.get("Expires", ""), query.get("Nonce", "")
        expected = self._signature(path, expires, nonce)
        if not hmac.compare_digest(expected.encode(), query.get("Signature", "").encode()):
            return "Access denied"
        if now >= int(expires):
            return "Request has expired"
        return None
