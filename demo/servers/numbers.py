"""Telephone numbers as networks write them. How people write them in the log does not belong here (``demo.simulation.people``)."""

from __future__ import annotations


def e164(phone: str | None) -> str | None:
    """A telephone number of the United States as the network knows it; None where it is none."""
    digits = "".join(one for one in phone or "" if one.isdigit())[-10:]
    return f"+1{digits}" if len(digits) == 10 else None
