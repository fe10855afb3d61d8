"""What the proofs have to know of a source: its loopback server, the settings that lead to it, what it holds, how people work on it meanwhile.

The sources are in ``crms`` and ``others``, which faults are played in ``scripts``, how in ``play``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from demo.log import CompanyLog
from demo.servers.traffic import Limit

PLENTY = Limit(1_000_000, 1.0, "SECONDLY", 0)
BEYOND = 10**9  # a cursor behind the last record
STEP = timedelta(minutes=5)
Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A raw table and what the server holds for it. ``key``: its key columns, and the fields of a row that hold them."""

    name: str
    rows: Callable[[Any], Iterable[Row]]
    key: tuple[tuple[str, str], ...] = (("id", "id"),)

    def held(self, server: Any) -> dict[str, Row]:
        """Key (parts joined by ``|``) → row."""
        return {"|".join(str(row[name]) for _, name in self.key): row for row in self.rows(server)}


@dataclass(frozen=True)
class Work:
    """How people work on the listing that faults hit. All functions get the server.

    ``add(server, number, at)`` makes a record of that moment, ``touch(server, at)`` changes one, ``drop(server)`` deletes one of the page that is
    read first. None: it can't be done in this system.
    """

    add: Callable[[Any, int, datetime], None]
    touch: Callable[[Any, datetime], None] | None = None
    drop: Callable[[Any], None] | None = None


@dataclass(frozen=True)
class Stated:
    """What a sync without changes costs. ``words``: what the connector says of itself; ``number``: what that makes for what the server holds.

    ``number(server, within)``: ``within(rows, field, days)`` counts. ``settings`` are those under which the number holds.
    """

    words: str
    number: Callable[[Any, Callable[..., int]], int]
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Source:
    """A source in the proofs.

    ``server(log, options)`` makes its loopback server, ``config(url)`` and ``secrets`` lead to it. ``path``: regular expression of the requests
    that faults hit, in path and query, without the first ``skip`` of them. ``grown``: records that their listing gets on top of the simulated
    ones, so that it has some pages. ``more(body, cursor)``: the page as if that cursor led to a next one; ``BEYOND`` leads behind the last.
    ``denied``: the server's options with which the key lacks a right; ``right``: the name of that right, or what it belongs to, as the check says it.
    ``stated``: what a sync without changes costs.
    """

    name: str
    server: Callable[..., Any]
    options: Any
    config: Callable[[str], Mapping[str, Any]]
    secrets: Mapping[str, str]
    path: str
    tables: tuple[Table, ...]
    work: Work
    more: Callable[[Row, int], Row]
    right: str
    stated: Stated
    grown: int = 0
    skip: int = 0
    has_sessions: bool = False
    denied: Mapping[str, Any] = field(default_factory=dict)

    def build(self, log: CompanyLog, **options: Any) -> Any:
        """A server of its own that holds ``log`` and ``grown`` more records, the newest of them ten minutes old."""
        made = self.server(log, replace(self.options, **options))
        for number in reversed(range(self.grown)):
            self.work.add(made, number, log.as_of - (2 + number) * STEP)
        return made


def section(text: str) -> dict[str, Any]:
    """The settings of a TOML section such as ``demo.crms`` writes."""
    (found,) = tomllib.loads(text)["sources"].values()
    return dict(found)


def rows_of(name: str) -> Callable[[Any], list[Row]]:
    """The rows of a server that keeps them in lists by name."""
    return lambda server: server.state.rows[name]


def work_on(
    rows: Callable[[Any], list[Row]],
    new: Callable[[Any, int, datetime], Row],
    changed: Callable[[datetime], Row],
    *,
    order: Callable[[Row], Any] | None = None,
    is_descending: bool = False,
    dropped: Callable[[list[Row]], Row] | None = None,
) -> Work:
    """Work on a list of rows: a new one is a copy of the first with other values; ``order``: the server takes them as sorted."""

    def add(server: Any, number: int, at: datetime) -> None:
        found = rows(server)
        made = {**deepcopy(found[0]), **new(server, number, at)}
        place = len(found)
        if order is not None and is_descending:
            place = next((index for index, one in enumerate(found) if order(one) <= order(made)), place)
        elif order is not None:
            while place and order(found[place - 1]) > order(made):
                place -= 1
        found.insert(place, made)

    def touch(server: Any, at: datetime) -> None:
        row = rows(server)[0 if order is None or is_descending else -1]
        row |= changed(at)

    def drop(server: Any) -> None:
        found = rows(server)
        found.remove(dropped(found))  # type: ignore[misc]

    return Work(add, touch, drop if dropped else None)
