"""The checks of the gate itself: dbt's tests as checks, the balances of the raw log, the share of quarantine, tables that became empty.

What is expected of values belongs to the suites, the verdict to ``quality.audit``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb

from quality.hashes import fingerprint, table_hash
from quality.masking import mask_key
from quality.results import Check, DbtTestResult
from quality.suites import INVARIANT
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company, parse_utc

MAX_QUARANTINE_SHARE = 0.2
SMALL_LOAD = 50
SHOWN_ROWS = 3
NOT_PASSED = {"fail": "failed", "error": "could not be run", "skipped": "was not run"}
# Errors of these kinds quote a value of a record; others quote names of columns and tables, which people need.
_QUOTES_VALUES = re.compile(r"Conversion Error|Invalid Input Error|Constraint Error|Out of Range Error")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_LABEL = re.compile(r"[a-z_ ]{1,60}")
_PERSONAL = re.compile(r"[^\s@'\"<>]+@[^\s@'\"<>]+|\+?\d[\d\s().\-]{7,}\d")
_RELOAD = (
    "Reload the source; if it stays, the load's accounting is broken: report it with the load's id from raw_log.loads."
)


def dbt_check(result: DbtTestResult, con: duckdb.DuckDBPyConnection | None = None) -> Check:
    """The test as a check; with ``con``, the warehouse, the first rows that break its rule are named."""
    outcome = NOT_PASSED.get(result.status, result.status)
    message = f" ({safe_message(result.message)})" if result.message and result.status == "error" else ""
    return Check(
        origin="dbt",
        suite="dbt",
        name=result.name,
        table=result.table,
        severity="warn" if result.severity == "warn" and result.status != "error" else "error",
        passed=result.status in ("pass", "success"),
        observed=f"{outcome}{message}",
        expected=result.rule or "pass",
        failing_rows=result.failures if result.status in ("fail", "warn") else None,
        examples=_breaking_rows(con, result) if con is not None and result.status in ("fail", "warn") else (),
        action=INVARIANT,
    )


def _breaking_rows(con: duckdb.DuckDBPyConnection, result: DbtTestResult) -> tuple[str, ...]:
    """The first rows that a failed test finds, each as its columns with masked keys."""
    if not result.sql:
        return ()
    try:
        rows = con.execute(f"select * from ({result.sql}) as broken limit {SHOWN_ROWS}")
        names = [column[0] for column in rows.description or ()]
        found = rows.fetchall()
    except duckdb.Error:
        return ()  # the test itself could be run; what it found is only an example
    return tuple(
        " ".join(f"{name}={_shown(value)}" for name, value in zip(names, row, strict=True) if value is not None)
        for row in found
    )


def _shown(value: Any) -> str:
    """A value of a failing row for people: keys are masked, words that are no key and no label are not shown."""
    if not isinstance(value, str):
        return f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else str(value)
    return value if _LABEL.fullmatch(value) else mask_key(value)


def safe_message(message: str) -> str:
    """An error's message without the values that it quotes: one line, at most 240 characters.

    >>> safe_message("Conversion Error: Could not convert string 'jane@example.com' to INT32")
    "Conversion Error: Could not convert string '…' to INT32"
    """
    line = " ".join(message.split())
    if _QUOTES_VALUES.search(line):
        line = _QUOTED.sub("'…'", line)
    return _PERSONAL.sub("…", line)[:240]


def balances(con: duckdb.DuckDBPyConnection) -> list[Check]:
    """Nothing is lost: every load's received rows are loaded, quarantined or duplicates, and the quarantine holds what was counted."""
    if not _is_there(con, "raw_log", "loads"):
        return [
            _gate(
                "accounting",
                "raw_log.loads",
                False,
                "the table does not exist",
                "received = loaded + quarantined + duplicates",
                None,
                _RELOAD,
            )
        ]
    lost = con.execute(
        "select source || '.' || table_name from raw_log.loads "
        "where received is distinct from loaded + quarantined + duplicates or least(received, loaded, quarantined, duplicates) < 0 order by 1"
    ).fetchall()
    checks = [
        _gate(
            "accounting",
            "raw_log.loads",
            not lost,
            "every load adds up" if not lost else f"does not add up in {', '.join(sorted({row[0] for row in lost}))}",
            "received = loaded + quarantined + duplicates",
            len(lost),
            _RELOAD,
        )
    ]
    if _is_there(con, "raw_log", "quarantine"):
        differing = con.execute(
            """
            with counted as (select source, load_id, table_name, sum(quarantined) as n from raw_log.loads group by all),
            kept as (select source, load_id, table_name, count(*) as n from raw_log.quarantine group by all)
            select coalesce(counted.source, kept.source) || '.' || coalesce(counted.table_name, kept.table_name)
            from counted full join kept using (source, load_id, table_name)
            where coalesce(counted.n, 0) <> coalesce(kept.n, 0) order by 1
            """
        ).fetchall()
        checks.append(
            _gate(
                "quarantine_kept",
                "raw_log.quarantine",
                not differing,
                "every quarantined row is there"
                if not differing
                else f"differs from the loads in {', '.join(sorted({row[0] for row in differing}))}",
                "as many rows in the quarantine as the loads counted",
                len(differing),
                _RELOAD,
            )
        )
    return checks


def quarantine(con: duckdb.DuckDBPyConnection, company: Company, before: dict[str, Any] | None) -> list[Check]:
    """The newest load of each source and table that was not published yet, and the newest large one where that is small.

    Only the newest: a load that was repaired by a later one must not stop every run that follows. Of a small load a few bad rows are many: it stops
    only where they are too many of all rows of the table as well, and never for a single one.
    """
    if not _is_there(con, "raw_log", "loads"):
        return []
    limit = _share(company)
    published_until = {name: source.get("loaded_at") for name, source in (before or {}).get("sources", {}).items()}
    newest = con.execute(
        """
        select source, table_name, received, quarantined, loaded_at, received_in_all
        from (
            select
                *,
                sum(received) over (partition by source, table_name) as received_in_all,
                row_number() over (partition by source, table_name, received >= $small order by loaded_at desc, load_id desc) as place,
                max(case when received >= $small then loaded_at end) over (partition by source, table_name) as large_at
            from raw_log.loads
            where received > 0
        )
        where place = 1 and (received >= $small or large_at is null or loaded_at > large_at)
        order by source, table_name, loaded_at
        """,
        {"small": SMALL_LOAD},
    ).fetchall()
    checks = []
    for source, table, received, quarantined, loaded_at, in_all in newest:
        if (until := published_until.get(source)) and parse_utc(until) >= loaded_at:
            continue
        few = received < SMALL_LOAD and (quarantined < 2 or quarantined <= limit * in_all)
        checks.append(
            _gate(
                "quarantine_share",
                f"{source}.{table}",
                few or quarantined <= limit * received,
                f"{quarantined:,} of {received:,} received rows are in quarantine ({quarantined / received:.0%})",
                f"≤ {limit:.0%}",
                quarantined,
                "Read the reasons in raw_log.quarantine, correct the source or its mapping and load again; "
                "or accept it with max_quarantine_share under [salesgauge] in .dlt/config.toml.",
            )
        )
    return checks


def refused_files(con: duckdb.DuckDBPyConnection, company: Company) -> list[Check]:
    """Files that were refused as a whole count by their size: the rows that are in them are not here.

    A file of which an older version was loaded is not missing, only old; the run says that it was refused.
    """
    if not _is_there(con, "raw_log", "loads"):
        return []
    limit = _share(company)
    cursors = con.execute(
        """
        select source, table_name, cast(cursor as varchar) from raw_log.loads
        where json_type(cursor, '$.files') = 'OBJECT'
        qualify row_number() over (partition by source, table_name order by loaded_at desc, load_id desc) = 1
        order by source, table_name
        """
    ).fetchall()
    checks, judged = [], set()
    for source, table, cursor in cursors:
        files = json.loads(cursor)["files"]
        refused = sorted(name for name, state in files.items() if state.get("refused") and not state.get("load_id"))
        if not refused or (source, *refused) in judged:
            continue
        judged.add((source, *refused))  # its stage events come from the same files
        size, of_all = (sum(max(files[name]["size"], 0) for name in names) for names in (refused, files))
        share = size / of_all if of_all else 1.0
        shown = ", ".join(refused[:3]) + (f" and {len(refused) - 3} more" if len(refused) > 3 else "")
        checks.append(
            _gate(
                "refused_files",
                f"{source}.{table}",
                share <= limit,
                f"{len(refused)} of {len(files)} files refused ({shown}), {share:.0%} of their bytes",
                f"≤ {limit:.0%}",
                None,
                "Why each was refused: salesgauge quarantine list. Correct the file or its mapping in sources/ and run again; "
                "or accept it with max_quarantine_share under [salesgauge] in .dlt/config.toml.",
            )
        )
    return checks


def nothing_loaded(con: duckdb.DuckDBPyConnection) -> list[Check]:
    """A run in which no source ever gave a row publishes nothing: a report of dashes looks like a company without sales."""
    if not _is_there(con, "raw_log", "loads"):
        return []
    found = con.execute("select coalesce(sum(loaded), 0), coalesce(sum(received), 0) from raw_log.loads").fetchone()
    loaded, received = found if found else (0, 0)
    return [
        _gate(
            "anything_loaded",
            "raw_log.loads",
            loaded > 0,
            f"{loaded:,} of {received:,} received rows were loaded, of all sources",
            "at least one",
            None,
            "Look why: 'salesgauge sources check' tries each source, 'salesgauge quarantine list' names what was refused.",
        )
    ]


def emptied(con: duckdb.DuckDBPyConnection, company: Company, before: dict[str, Any] | None) -> list[Check]:
    """Tables that were published with rows: still there, readable, and not empty."""
    if before is None:
        return []
    accepted = names(company, "accept_empty")
    checks = []
    for name, table in before["tables"].items():
        schema, _, relation = name.partition(".")
        if schema not in ("marts", "kpi", "analysis") or not table["rows"] or name in accepted or relation in accepted:
            continue
        rows = _count(con, schema, relation)
        checks.append(
            _gate(
                "not_emptied",
                name,
                bool(rows),
                "can't be read" if rows is None else f"{rows:,} rows",
                f"rows, as before ({table['rows']:,})",
                None,
                "Look which source or model gave nothing; if it is meant, set accept_empty to the table's name "
                "under [salesgauge] in .dlt/config.toml for one run.",
            )
        )
    return checks


def same_data(con: duckdb.DuckDBPyConnection, before: dict[str, Any] | None) -> bool:
    """Whether the version that is served was made from the very loads and the very process file that are judged now."""
    if before is None or not _is_there(con, "raw_log", "loads"):
        return False
    loads = con.execute("select source, max(loaded_at), count(distinct load_id) from raw_log.loads group by source")
    now = {source: (loaded_at, count) for source, loaded_at, count in loads.fetchall()}
    then = {
        name: (parse_utc(source["loaded_at"]), source["loads"])
        for name, source in before.get("sources", {}).items()
        if source.get("loaded_at")
    }
    return bool(now) and now == then and before.get("process_fingerprint") == _process_of(con)


def _process_of(con: duckdb.DuckDBPyConnection) -> str:
    tables = con.execute(
        "select table_name from information_schema.tables where table_catalog = current_database() and table_schema = 'process'"
    ).fetchall()
    return fingerprint({f"process.{table}": table_hash(con, f'"process"."{table}"')[0] for (table,) in tables})


def _gate(name: str, table: str, passed: bool, observed: str, expected: str, failing: int | None, action: str) -> Check:
    return Check("gate", "gate", name, table, "error", passed, observed, expected, failing_rows=failing, action=action)


def _is_there(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    found = con.execute(
        "select count(*) from information_schema.tables where table_catalog = current_database() and table_schema = ? and table_name = ?",
        [schema, table],
    ).fetchone()
    return bool(found and found[0])


def _count(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> int | None:
    try:
        found = con.execute(f'select count(*) from "{schema}"."{table}"').fetchone()
    except duckdb.Error:
        return None
    return int(found[0]) if found else None


def _share(company: Company) -> float:
    value = company.setting("max_quarantine_share")
    try:
        share = MAX_QUARANTINE_SHARE if value is None else float(value)
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigurationError(
            f".dlt/config.toml: [salesgauge] max_quarantine_share = {value!r} is no share. Write a number from 0 to 1, for example {MAX_QUARANTINE_SHARE}."
        )
    return share


def names(company: Company, key: str) -> frozenset[str]:
    """A setting that lists names: a TOML list, or text with commas."""
    value = company.setting(key) or []
    parts = value.split(",") if isinstance(value, str) else value
    return frozenset(str(part).strip() for part in parts)
