"""Erased persons: how they are found, what keeps them out, and erasing them. Rights and consent beyond that do not belong here."""
