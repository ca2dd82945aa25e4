"""JSON-able data, and what it is known by."""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = dict[str, Any]


def content_hash(value: Any) -> str:
    """A SHA-256 (64 hexadecimal digits) of any JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
