"""The page of a record in its source: what a connector knows of it, or ``[sources.NAME.pages]`` of ``.dlt/config.toml`` says. Added to the rows behind a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import quote

from metrics import Answer, Column
from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company

_SETTING = re.compile(r"{(\w+)}")


def with_links(company: Company, answer: Answer) -> Answer:
    """``answer`` of ``MetricStore.drill`` with the column ``link``: the page of the first record of the row that has one. Notes say where there can't be one, and why."""
    pages, lacking = cache(lambda source: _pages(company, source)), dict[str, str]()
    rows = []
    for row in answer.rows:
        named = dict(zip(answer.names, row, strict=True))
        link = None
        for column, key in _records(named):
            source, _, id = key.partition(":")
            pattern, reason = pages(source).get(column, ""), ""
            if not pattern:
                reason = f'[sources.{source}.pages] of .dlt/config.toml can name one: {column} = "https://…/{{id}}"'
            elif missing := _lacks(company, source, pattern):
                reason = f"{missing} is missing in [sources.{source}] of .dlt/config.toml"
            else:
                link = _filled(company, source, pattern, id)
                break
            lacking.setdefault(f"{column} of {source}", reason)
        rows.append([*row, link])
    notes = (
        [f"No page is known of {what}: {reason}." for what, reason in lacking.items()]
        if not any(row[-1] for row in rows)
        else []
    )
    return replace(answer, columns=(*answer.columns, Column("link")), rows=rows, notes=(*answer.notes, *notes))


def _records(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The records that a row names: kind of id, ``source:id``."""
    for column, value in row.items():
        if column == "record_id" and value:
            yield f"{row.get('object')}_id", value
        elif column.endswith("_id") and isinstance(value, str) and ":" in value:
            yield column, value


def _pages(company: Company, source: str) -> Mapping[str, str]:
    settings = company.source(source)
    own = settings.config.get("pages", {})
    if not isinstance(own, Mapping) or not all(isinstance(page, str) and "{id}" in page for page in own.values()):
        raise ConfigurationError(
            f'.dlt/config.toml: [sources.{source}.pages]: expected addresses with {{id}} in them, for example deal_id = "https://crm.example.com/deals/{{id}}"'
        )
    if source not in API_SOURCES:
        return own
    from ingestion.catalogue import about

    known = about(source)
    return {**(known.pages(settings) if known else {}), **own}


def _lacks(company: Company, source: str, pattern: str) -> str:
    settings = company.source(source)
    return next((name for name in _SETTING.findall(pattern) if name != "id" and not settings.get(name)), "")


def _filled(company: Company, source: str, pattern: str, id: str) -> str:
    settings = company.source(source)
    return _SETTING.sub(
        lambda found: quote(id, safe="") if found[1] == "id" else str(settings.get(found[1])).rstrip("/"), pattern
    )
