"""Secrets that were read or given in this process, and texts without them. Whoever gets hold of a secret says so with ``hide``; whoever shows
or keeps a text that came from elsewhere (a vendor's answer, a library's error) passes it through ``masked``.

What a secret is for belongs to ``settings`` and to ``ingestion.http.auth``.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import Any
from urllib.parse import quote, quote_plus

_SHORTEST = 6  # a shorter text would be starred out of ordinary words
_MARK = "***"
_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None
_lock = threading.Lock()


def hide(*secrets: str) -> None:
    """From now on ``masked`` takes ``secrets`` out, also where they are encoded for an address, as JSON or as base64."""
    global _pattern
    for secret in secrets:
        with _lock:
            if len(secret) < _SHORTEST or secret in _forms:
                continue
            _forms.update(form for form in _encoded(secret) if len(form) >= _SHORTEST)
            _pattern = None


def masked(text: str) -> str:
    """``text`` with ``***`` for every secret in it."""
    global _pattern
    with _lock:
        if not _forms:
            return text
        if _pattern is None:  # the longest first: one may hold another
            _pattern = re.compile("|".join(map(re.escape, sorted(_forms, key=lambda form: (-len(form), form)))))
        pattern = _pattern
    return pattern.sub(_MARK, text)


def masked_document(value: Any) -> Any:
    """A JSON value with ``***`` for every secret in its texts and names."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(name): masked_document(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked_document(one) for one in value]
    return value


def _encoded(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, secret.strip(), repr(secret)[1:-1], json.dumps(secret)[1:-1], quote_plus(secret, errors="replace")}
    forms |= {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    for start in range(
        3
    ):  # as it looks in base64 after so many bytes; ends that depend on what is beside it are left out
        whole = base64.b64encode(b"\0" * start + raw).decode()
        end = len(whole) - (4 if whole.endswith("=") else 0)
        inner = whole[4 if start else 0 : end]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")} if len(inner) >= 2 * _SHORTEST else set()
    return forms
