"""Whether the published version still stands: all that it was made of is as it was. What a run does belongs in ``orchestration.pipeline``."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

from ingestion import rawlog
from orchestration.transform import project_hash
from quality.versions import current, is_erasure_announced
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company

# With the models (``transform.project_hash``) they make what is published; nothing else of the project does.
CODE = ("salesgauge", "ingestion", "analysis", "metrics", "quality", "reporting", "orchestration")
LIBRARIES = (
    "altair", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "metricflow", "numpy", "pandas", "pyarrow", "sqlglot", "tzdata",
    "weasyprint",
)  # fmt: skip


def made_of(company: Company, process: Process, *, as_of: datetime, is_fixed: bool) -> str:
    """A hash of all that a version is made of but its loads: the company's files and settings, recorded locks, code, and ``as_of``.

    Of an ``as_of`` that is the clock's (not ``is_fixed``) only the business day counts: within a day the same records give the same report.
    """
    day = as_of.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(process.company.timezone)).date()
    digest = hashlib.sha256()
    for part in (as_of.isoformat() if is_fixed else day.isoformat(), _code(), project_hash()):
        digest.update(part.encode() + b"\0")
    settings = {
        "config": company.config,
        "salesgauge": company.secrets.get("salesgauge"),
        "environ": _settings(company),
    }
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for file in [
        company.process_file,
        *sorted(company.sources_dir.glob("*.yml")),
        *sorted(company.locks_dir.rglob("*.*")),
    ]:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def remember(company: Company, made_of: str, loads: str, version: str, report: Path) -> None:
    """``version`` was published from ``made_of`` and ``loads`` (``rawlog.fingerprint``), and its ``report`` was made."""
    file = _file(company)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    content = {"made_of": made_of, "loads": loads, "version": version, "report": str(report)}
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.replace(file)


def standing(company: Company, made_of: str) -> tuple[str, Path] | None:
    """The served version and its report, if a run would publish the same from ``made_of`` and the loads that are there now.

    None where that is not known, where the report is not there, and where persons are to be erased.
    """
    try:
        found = json.loads(_file(company).read_text(encoding="utf-8"))
        name, report, known = found["version"], Path(found["report"]), (found["made_of"], found["loads"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    served = current(company)
    if served is None or served.name != name or is_erasure_announced(company) or not report.is_file():
        return None
    return (name, report) if known == (made_of, rawlog.fingerprint(company)) else None


def _file(company: Company) -> Path:
    return company.work_dir / "published.json"


def _settings(company: Company) -> dict[str, str]:
    return {name: value for name, value in company.environ.items() if name.startswith("SALESGAUGE__")}


@cache
def _code() -> str:
    """Of the project's code and the libraries that decide on numbers. A process does not see a change of its own code."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    for folder in CODE:
        for file in sorted((PROJECT_ROOT / folder).rglob("*.*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(PROJECT_ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()
