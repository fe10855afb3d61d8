"""Keys of records as logs, checks and reports may show them."""

from __future__ import annotations

import re

# a source, for cases with the object before it: lead/hubspot:1
_SAFE_KEY = re.compile(r"(?:(?:lead|deal)/)?[a-z0-9_]{1,40}")


def mask_key(key: object) -> str:
    """A key that tells records apart in a log without showing an e-mail address, a phone number or a whole id.

    >>> mask_key("hubspot:123456"), mask_key("jane@example.com")
    ('hubspot:…456', '…')
    """
    source, colon, rest = str(key).rpartition(":")
    if not re.fullmatch(r"[\w\-]+", rest) or not _SAFE_KEY.fullmatch(source or "x"):
        return "…"
    prefix = f"{source}{colon}" if source else ""
    return f"{prefix}…{rest[-3:]}" if len(rest) > 3 else f"{prefix}{rest}" if source else "…"
