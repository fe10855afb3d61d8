"""Erasing a person from what Salesgauge keeps: raw log, quarantine, working folders. What is published is made anew and purged by ``quality``.

All versions of every record that mentions the person go. What is left is a keyed hash per address, number and record (``suppression``), so that a
source that still sends the person is not believed. Files in ``data/`` are the company's own: they are named, not changed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from ingestion import rawlog
from ingestion.privacy.phones import phone_keys
from ingestion.privacy.suppression import (
    Found,
    Suppressions,
    count_of,
    keys_of,
    matching,
    normal_email,
    rewrite,
    scrubbed,
    without,
    write,
)
from ingestion.rawlog.declarations import Tables
from ingestion.rawlog.parquet import remove_unnamed_originals
from ingestion.sql.text import path_literal, quote
from salesgauge.entities import ENTITIES
from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect

_WORK = ("work", "warehouse")


@dataclass
class Erasure:
    """What was erased, or would be: rows by ``source.table``, and the company's own files that name the person."""

    rows: dict[str, int] = field(default_factory=dict)
    own_files: list[Path] = field(default_factory=list)
    suppressed: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def erase(
    company: Company,
    tables: Tables,
    *,
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    is_trial: bool = False,
) -> Erasure:
    """Erase the person with these e-mails and telephone numbers; with ``is_trial`` only say what would go. Call it while no run is active.

    ``tables``: the raw tables of all connectors.

    It can be repeated: after a crash the next call goes on. ConfigurationError where no identifier is usable.
    """
    wanted = Found(
        frozenset(normal_email(one) for one in emails if "@" in one),
        frozenset(number for one in phones for number in phone_keys(one)),
    )
    if not wanted:
        raise ConfigurationError(
            "nothing to look for: give an e-mail address, or a telephone number of at least seven digits that is one person's."
        )
    outcome = Erasure()
    suppressions = Suppressions(company)
    if not is_trial:  # before anything goes: a crash between the two must not let the person come back
        outcome.suppressed += suppressions.add(emails=wanted.emails, phones=wanted.phones)
        for file in rawlog.unfinished_files(company):
            file.unlink()
        for dataset in company.raw_dir.glob("*"):  # of an erasure, or a load, that was killed
            remove_unnamed_originals(dataset)
    with connect(":memory:") as con:
        for source, of_source in groupby(_tables(company, tables), key=lambda one: one.source):
            held = list(of_source)
            keys = _keys(con, held, wanted, suppressions)
            if not is_trial:
                outcome.suppressed += suppressions.add(keys=(f"{source}|{one}" for one in keys))
            for table in held:
                found = Found(wanted.emails, wanted.phones, table.own(keys))
                count = sum(_remove(con, file, found, table.key, is_trial) for file in table.files)
                if count:
                    outcome.rows[f"{source}.{table.name}"] = count
    outcome.own_files = _own_files(company, wanted)
    if not is_trial:
        _scrub(company, wanted)
        for name in _WORK:
            shutil.rmtree(company.var / name, ignore_errors=True)
    return outcome


def mentions(path: Path, texts: Iterable[str]) -> bool:
    """Whether a file holds one of ``texts`` as plain bytes, in any case."""
    wanted = [text.lower().encode() for text in texts]
    overlap = max((len(one) for one in wanted), default=1) - 1
    with path.open("rb") as file:
        rest = b""
        while block := file.read(1 << 20):
            block = rest + block.lower()
            if any(one in block for one in wanted):
                return True
            rest = block[-overlap:] if overlap else b""
    return False


@dataclass(frozen=True)
class _Table:
    """A table of the raw log with its key columns and Parquet files. ``keys`` of all tables of a source are written ``table|key``."""

    source: str
    name: str
    key: tuple[str, ...]
    files: list[Path]

    @property
    def is_quarantine(self) -> bool:
        return self.name == "_quarantine"

    def named(self, keys: Iterable[str]) -> set[str]:
        """The keys of this table's records with the table that they are of; the quarantine's say it themselves."""
        return set(keys) if self.is_quarantine else {f"{self.name}|{one}" for one in keys}

    def own(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of ``keys`` that records of this table can have, as the table writes them."""
        if self.is_quarantine:
            return frozenset(keys)
        return frozenset(one.removeprefix(f"{self.name}|") for one in keys if one.startswith(f"{self.name}|"))


def _tables(company: Company, tables: Tables) -> Iterator[_Table]:
    """All that the raw log holds, source by source, files of uncommitted loads included, but for those that nobody can read."""
    unfinished = set(rawlog.unfinished_files(company))
    folders = (path for path in company.raw_dir.glob("*/*") if path.is_dir())
    for folder in sorted(folders, key=lambda path: (path.parent.name, path.name)):
        source, table = folder.parent.name, folder.name
        files = sorted(set(folder.glob("*.parquet")) - unfinished)
        if table == "_quarantine":
            yield _Table(source, table, ("table_name", "record_key"), files)
        elif not table.startswith("_") and files:
            yield _Table(source, table, _key(tables, source, table), files)


def _keys(con: duckdb.DuckDBPyConnection, tables: list[_Table], wanted: Found, known: Suppressions) -> set[str]:
    """The keys (``table|key``) of a source's records one version of which, loaded or in quarantine, mentions the person: the other versions are about
    the same person. Those that are ``known`` already too: an erasure that was interrupted may have removed the version that told it.
    """
    keys: set[str] = set()
    for table in tables:
        place = table.source if table.is_quarantine else f"{table.source}|{table.name}"
        for file in table.files:
            keys |= table.named(keys_of(con, file, table.key, matching(con, file, wanted, table.key)))
            keys |= table.named(known.find_keys(con, file, place, table.key))
    return keys


def _key(tables: Tables, source: str, table: str) -> tuple[str, ...]:
    if source in API_SOURCES:
        return next((one.key for one in tables.get(source, ()) if one.name == table), ())
    return (ENTITIES[table].key,) if table in ENTITIES else ()


def _remove(con: duckdb.DuckDBPyConnection, file: Path, found: Found, key: tuple[str, ...], is_trial: bool) -> int:
    if not is_trial:
        return len(without(con, file, found, key))
    return count_of(con, file, found, key)


def _scrub(company: Company, wanted: Found) -> None:
    """Take the person out of what is kept beside records: the cursors of all loads, and what came of the last syncs."""
    with connect(":memory:") as con:
        for file in sorted(company.raw_dir.glob("*/_accounting/*.parquet")):
            is_of_files = file.parent.parent.name not in API_SOURCES
            where = f"read_parquet({path_literal(file)}, hive_partitioning = false)"
            held = con.execute(
                f"select distinct cast(cursor as varchar) from {where} where cursor is not null"
            ).fetchall()
            changed = []
            for (text,) in held:
                cursor = json.loads(text)
                if (cleaned := _cleaned(cursor, wanted, is_of_files)) != cursor:
                    changed.append((text, json.dumps(cleaned, sort_keys=True)))
            if changed:
                cases = " ".join(f"when {quote(old)} then {quote(new)}" for old, new in changed)
                text_of = "cast(cursor as varchar)"
                rewrite(
                    con,
                    file,
                    f"select * replace (cast(case {text_of} {cases} else {text_of} end as json) as cursor) from {where}",
                )
    for path in sorted(company.outcomes_dir.glob("*.json")):
        try:
            outcome = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # nobody can read it: the next run writes it anew
            path.unlink(missing_ok=True)
            continue
        if isinstance(outcome, dict) and isinstance(outcome.get("error"), str):
            error = scrubbed(outcome["error"], wanted)
            if error != outcome["error"]:
                write(path, json.dumps({**outcome, "error": error}))


def _cleaned(value: Any, wanted: Found, is_of_files: bool) -> Any:
    """A cursor without the person. Of a file source the names of files and why they were refused; of others texts, but no digits: those are ids."""
    if not is_of_files:
        return _each_text(value, Found(wanted.emails))
    if not isinstance(value, dict) or not isinstance(value.get("files"), dict):
        return value
    files = {
        scrubbed(name, wanted): {**state, "refused": scrubbed(state["refused"], wanted)}
        if state.get("refused")
        else state
        for name, state in value["files"].items()
    }
    return {**value, "files": files}


def _each_text(value: Any, wanted: Found) -> Any:
    if isinstance(value, dict):
        return {scrubbed(name, wanted): _each_text(one, wanted) for name, one in value.items()}
    if isinstance(value, list):
        return [_each_text(one, wanted) for one in value]
    return scrubbed(value, wanted) if isinstance(value, str) else value


def _own_files(company: Company, wanted: Found) -> list[Path]:
    """Text files of ``data/`` that name the person; packed ones can't be searched like this."""
    if not company.data_dir.is_dir():
        return []
    files = (path for path in sorted(company.data_dir.rglob("*")) if path.is_file())
    return [path for path in files if mentions(path, [*wanted.emails, *wanted.phones])]
