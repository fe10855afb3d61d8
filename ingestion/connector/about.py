"""What people are told of a source: its settings, what it provides, what it can't tell, and what a check of its credentials found.

Each connector states it as ``ABOUT`` and ``check``; showing it belongs to the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from salesgauge.kpis import of_families

if TYPE_CHECKING:
    from salesgauge.settings import SourceSettings

# Metrics that lack the same thing when they lack it.
SPEED_TO_LEAD = of_families("speed_to_lead")
DEALS = ("deals_created", *of_families("win_loss", "sales_cycle"))
CONVERSION = of_families("conversion")
FORECASTS = of_families("forecast")
TOUCHES = ("follow_up_rate", "touches_to_contact_median", "touches_to_close_median")
PIPELINE = of_families("pipeline")
COMPLETENESS = of_families("crm_completeness")
QUALIFICATION = of_families("qualification")
CALLS_HANDLED = tuple(kpi for kpi in of_families("calls") if kpi != "call_booking_rate")
CHAIN = of_families("chain")
LOGGED_CALLS = "people log calls of records: calls of nobody who is known, how long a call rang and who ended it are known to the telephone system"
VOLUME = ("leads_created", *of_families("satisfaction"))
Kind = Literal["crm", "field_service", "web", "calls", "scheduling", "surveys", "any"]


@dataclass(frozen=True)
class Setting:
    """A key under ``[sources.<name>]`` of ``.dlt/config.toml``, or of ``.dlt/secrets.toml`` where it is a secret.

    ``unless``: another key; where that is set, this one is not required. ``given_with``: one that makes this one required.
    """

    key: str
    meaning: str
    is_required: bool = False
    is_secret: bool = False
    unless: str = ""
    given_with: str = ""


@dataclass(frozen=True)
class About:
    """A source in words.

    ``provides``: canonical entity → what of it there is (exact history, derived from time stamps, ...). ``limits``: metric → why this source's
    data does not allow it, or not exactly. ``scopes``: rights to grant, in the vendor's words. ``requests_when_unchanged``: the cost of a sync
    that finds nothing new. ``pages``: column of ids (``deal_id``, …) → address of the record's page for people, with ``{id}`` and names of settings; of
    records that are not named no address is known.
    """

    name: str
    label: str
    kind: Kind
    settings: tuple[Setting, ...]
    provides: Mapping[str, str]
    requests_when_unchanged: str
    scopes: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    pages: Callable[[SourceSettings], Mapping[str, str]] = lambda _: {}

    def missing(self, settings: SourceSettings) -> list[Setting]:
        """The settings and secrets that this source can't do without and that are not there."""
        return [one for one in self.settings if _is_needed(one, settings) and not _is_there(one.key, settings)]

    @property
    def docs(self) -> str:
        """The page that tells how to connect it."""
        return f"docs/sources/{self.name}.md"


@dataclass(frozen=True)
class Finding:
    """One line of a check: ``what`` was tried, whether it went well, and what to do where it did not."""

    what: str
    is_ok: bool
    advice: str = ""


def _is_needed(setting: Setting, settings: SourceSettings) -> bool:
    if setting.given_with and _is_there(setting.given_with, settings):
        return True
    return setting.is_required and not (setting.unless and _is_there(setting.unless, settings))


def _is_there(key: str, settings: SourceSettings) -> bool:
    return bool(settings.get(key) or settings.secrets.get(key))
