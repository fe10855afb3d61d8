"""Writes an audited warehouse as an immutable version and serves it.

A version is a folder: a fresh DuckDB file, the same tables as Parquet, MetricFlow's semantic manifest, and a manifest that says what is in it. It is
written beside the others under a temporary name, forced to the disk and renamed; only then does the pointer move. Which versions there are belongs to
``quality.versions``, whether to publish at all to ``quality.audit``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from quality.hashes import digest, fingerprint, table_hash
from quality.results import AuditOutcome
from quality.versions import (
    DATABASE_FILE,
    KEEP,
    MANIFEST,
    TEMPORARY,
    Version,
    current,
    delete_old,
    exclusive,
    finish_interrupted,
    next_number,
    serve,
    sync,
)
from salesgauge.errors import AuditError, ConfigurationError
from salesgauge.settings import Company
from salesgauge.warehouse import connect, limit_memory, with_memory

SCHEMAS = ("process", "marts", "kpi", "analysis", "quality", "questions")
STORAGE_VERSION = "v1.0.0"
"""What BI drivers of any DuckDB 1.x can open; a new file would take the newest format."""
SEMANTIC_MANIFEST = "semantic_manifest.json"
MANIFEST_FORMAT = 1
_LOADS = "quality.loads"
_CHECKS = "quality.checks"


def publish(
    company: Company,
    *,
    as_of: datetime,
    audit: AuditOutcome,
    semantic_manifest: Path,
    created_at: datetime | None = None,
) -> Version:
    """Publish the working warehouse as a new version, serve it, and delete versions that are no longer kept.

    ``as_of`` and ``created_at`` (default: ``as_of``) are UTC, naive. Where every table, the metrics and ``as_of`` equal those of the version that is
    served, nothing is written and that version comes back with ``unchanged`` set. AuditError where the audit did not pass or the models have not run.
    The caller has closed its connections to the warehouse.
    """
    if not audit.passed:
        raise AuditError("the audit did not pass, so nothing is published: " + "; ".join(map(str, audit.failures)))
    for needed in (company.warehouse_file, semantic_manifest):
        if not needed.is_file():
            raise AuditError(f"{needed.name} does not exist, so nothing is published. Run the models first.")
    keep, moment = _keep(company), created_at or as_of
    with exclusive(company):
        finish_interrupted(company)
        con = _open(company)
        try:
            content = _content(con, semantic_manifest, as_of)
            served = current(company)
            if served is not None and _same(served.manifest, content):
                return replace(served, unchanged=True)
            number = next_number(company)
            name = f"{number:06d}-{moment:%Y%m%dT%H%M%SZ}"
            manifest = {
                "format": MANIFEST_FORMAT,
                "version": name,
                "created_at": _stamp(moment),
                **content,
                "sources": _sources(con, audit),
                "scores": audit.scores,
                "checks": _checks(audit),
            }
            _write(company, con, name, manifest, semantic_manifest)
        finally:
            con.close()
        serve(company, name, action="publish", at=moment)
        delete_old(company, keep=keep, now=moment)
        published = current(company)
    if (
        published is None or published.name != name
    ):  # pragma: no cover - the lock is held: someone moved the link by hand
        raise AuditError(
            f"version {name} was written, but the pointer names another. Run 'salesgauge rollback {name}'."
        )
    return published


def _open(company: Company) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with the warehouse read-only under the name that its views use."""
    con, warehouse = connect(":memory:"), company.warehouse_file
    limit_memory(con, company)
    con.execute(f"attach '{_quoted(warehouse)}' as {warehouse.stem} (read_only)")
    con.execute(f"use {warehouse.stem}")
    return con


def _content(con: duckdb.DuckDBPyConnection, semantic_manifest: Path, as_of: datetime) -> dict[str, Any]:
    """What makes a version differ from another: ``as_of``, the tables, the definitions."""
    tables: dict[str, dict[str, Any]] = {}
    for name, relation in _tables(con).items():
        hashed, rows = _hashed(con, relation)
        tables[name] = {"rows": rows, "hash": hashed}
    metrics = json.loads(semantic_manifest.read_text(encoding="utf-8"))
    found = con.execute("select definition_version from process.run").fetchone() if "process.run" in tables else None
    return {
        "as_of": _stamp(as_of),
        "definition_version": found[0] if found else None,
        "process_fingerprint": fingerprint({name: table["hash"] for name, table in tables.items()}),
        "semantic_manifest": digest(metrics),
        "tables": tables,
    }


def _same(manifest: dict[str, Any], content: dict[str, Any]) -> bool:
    """Whether two versions say the same. The checks are left out: they compare with the version before, so they differ without anything new."""
    one, other = (
        {name: table for name, table in side["tables"].items() if name != _CHECKS} for side in (manifest, content)
    )
    return one == other and all(manifest.get(key) == value for key, value in content.items() if key != "tables")


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Published name → quoted relation in the warehouse, in order of name."""
    rows = con.execute(
        "select table_schema, table_name from information_schema.tables "
        f"where table_catalog = current_database() and (table_schema in {SCHEMAS} or (table_schema = 'raw_log' and table_name = 'loads'))"
    ).fetchall()
    found = {f"{schema}.{table}": f'"{schema}"."{table}"' for schema, table in rows}
    if loads := found.pop("raw_log.loads", None):
        found[_LOADS] = loads
    return dict(sorted(found.items()))


def _view(con: duckdb.DuckDBPyConnection, relation: str) -> str | None:
    """The query of a view, its tables named by schema; None of a table."""
    schema, name = (part.strip('"') for part in relation.split(".", 1))
    found = con.execute(
        "select sql, database_name from duckdb_views() where database_name = current_database() and schema_name = ? and view_name = ?",
        [schema, name],
    ).fetchone()
    return None if found is None else str(found[0]).partition(" AS ")[2].rstrip("; \n").replace(f"{found[1]}.", "")


def _hashed(con: duckdb.DuckDBPyConnection, relation: str) -> tuple[str, int]:
    """Hash and rows. What a view says follows from its query: its tables are hashed themselves."""
    query = _view(con, relation)
    if query is None:
        return table_hash(con, relation)
    (rows,) = con.execute(f"select count(*) from {relation}").fetchone() or (0,)
    return digest(query), int(rows)


def _sources(con: duckdb.DuckDBPyConnection, audit: AuditOutcome) -> dict[str, Any]:
    """Per source: when it was last loaded, the accounting of all its loads, and its counted records by entity."""
    sources: dict[str, Any] = {source: {"records": records} for source, records in sorted(audit.volumes.items())}
    if _LOADS not in _tables(con):
        return sources
    loads = con.execute(
        """
        select
            source, max(loaded_at), count(distinct load_id),
            sum(received)::bigint, sum(loaded)::bigint, sum(quarantined)::bigint, sum(duplicates)::bigint
        from raw_log.loads group by source order by source
        """
    ).fetchall()
    for source, loaded_at, count, received, loaded, quarantined, duplicates in loads:
        entry = sources.setdefault(source, {"records": {}})
        entry |= {
            "loaded_at": _stamp(loaded_at) if loaded_at else None,
            "loads": count,
            "received": received,
            "loaded": loaded,
            "quarantined": quarantined,
            "duplicates": duplicates,
        }
    return sources


def _checks(audit: AuditOutcome) -> dict[str, Any]:
    """Counts, and the warnings by name: no value of any record."""
    warnings = [
        {
            "table": check.table,
            "suite": check.suite,
            "name": check.name,
            "observed": check.observed,
            "failing_rows": check.failing_rows,
        }
        for check in audit.warnings
    ]
    passed = sum(check.passed for check in audit.checks)
    return {"total": len(audit.checks), "passed": passed, "warned": len(warnings), "warnings": warnings}


def _write(
    company: Company, con: duckdb.DuckDBPyConnection, name: str, manifest: dict[str, Any], semantic_manifest: Path
) -> None:
    folder = company.published_dir / "versions"
    temporary = folder / f"{TEMPORARY}{name}"
    temporary.mkdir()
    try:
        _write_tables(con, temporary, manifest["tables"])
        shutil.copyfile(semantic_manifest, temporary / SEMANTIC_MANIFEST)
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                path.chmod(0o444)
            sync(path)
        sync(temporary)
        temporary.rename(folder / name)
        sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_tables(con: duckdb.DuckDBPyConnection, folder: Path, tables: dict[str, Any]) -> None:
    """A fresh file (nothing of the warehouse's free space or history), rows in order, and the same as Parquet; views as they are."""
    con.execute(f"attach '{_quoted(folder / DATABASE_FILE)}' as version (storage_version '{STORAGE_VERSION}')")
    views: dict[str, str] = {}
    for name, relation in _tables(con).items():
        schema, table = name.split(".", 1)
        target = f'version."{schema}"."{table}"'
        con.execute(f'create schema if not exists version."{schema}"')
        if query := _view(con, relation):
            views[target] = query
            continue
        create = f"create table {target} as select * from {relation} order by all"
        with_memory(con, partial(con.execute, create))
        written = con.execute(f"select count(*) from {target}").fetchone()
        if written is None or written[0] != tables[name]["rows"]:
            raise AuditError(f"{name} changed while it was published; nothing is published. Start the run again.")
        parquet = folder / "parquet" / schema / f"{table}.parquet"
        parquet.parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select * from {target}) to '{_quoted(parquet)}' (format parquet, compression zstd)")
    for target, query in views.items():
        con.execute(f"create view {target} as {query}")
    con.execute("checkpoint version")
    con.execute("detach version")


def _keep(company: Company) -> int:
    value = company.setting("keep_versions")
    try:
        keep = KEEP if value is None else int(value)
    except (TypeError, ValueError):
        keep = 0
    if keep < 1:
        raise ConfigurationError(
            f".dlt/config.toml: [salesgauge] keep_versions = {value!r} is no whole number from 1 on. Write for example keep_versions = {KEEP}."
        )
    return keep


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
