"""What the company that the code location is for says while it is loaded: its sources, variables, owners, and when its data are stale.

The location loads without a company too, and with one whose files are wrong: then it is that of the demo, and a run says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import dagster as dg

from orchestration import transform
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import STALE_AFTER_HOURS, Company, default_company_root

T = TypeVar("T")


def _said(ask: Callable[[Company], T], otherwise: T) -> T:
    try:
        return ask(Company.open(default_company_root()))
    except ConfigurationError:
        return otherwise


def freshness(source: str | None = None) -> dg.FreshnessPolicy:
    """Stale after the company's time without a success: of ``source``, else of what is published."""
    window = _said(lambda company: company.stale_after(source), timedelta(hours=STALE_AFTER_HOURS))
    return dg.FreshnessPolicy.time_window(fail_window=window)


def _variables(company: Company) -> dict[str, Any]:
    return transform.project_vars(company, Process.load(company.process_file))


_DEMO_SOURCES: tuple[str, ...] = ("hubspot", "ga4", "typeform")
_NOBODY: list[str] = []
_NOTHING: dict[str, Any] = {}
SOURCE_NAMES = _said(transform.company_sources, _DEMO_SOURCES) or _DEMO_SOURCES
OWNERS = _said(lambda company: company.owners, _NOBODY)
# Those of a run of the company, so that the project is compiled once.
VARIABLES = _said(_variables, _NOTHING) | {"sources": list(SOURCE_NAMES)}
