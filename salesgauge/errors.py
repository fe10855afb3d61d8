"""Errors that a person is meant to read: each says what is wrong, where, and what to do. No other error type belongs here."""

from __future__ import annotations


class SalesgaugeError(Exception):
    """Base of all errors with a readable message. ``exit_code`` is what the command line returns."""

    exit_code = 1


class ConfigurationError(SalesgaugeError):
    """A file of the company directory, an option or a secret is missing or wrong."""

    exit_code = 2


class SourceError(SalesgaugeError):
    """A source could not be read to its end. What was loaded before stays; the next run goes on from there."""

    exit_code = 3


class AuditError(SalesgaugeError):
    """The audit found data that must not be published. A version served before is still served."""

    exit_code = 4


class AfterPublishingError(SalesgaugeError):
    """Something that comes after publishing failed (the report, say). The new version is served."""

    exit_code = 5
