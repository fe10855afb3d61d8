"""Talking to an API: client, retries, limits, credentials, listings that move. What is read, and what becomes of it, does not belong here."""
