"""The company directory and its settings: the only reader of the environment and of ``.dlt/*.toml``.

Business rules are not settings: they are in ``process.yml`` (``salesgauge.process``). Everything else in the project takes what it
needs as arguments.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from salesgauge.errors import ConfigurationError
from salesgauge.masking import hide

PROJECT_ROOT = Path(__file__).resolve().parents[1]
STALE_AFTER_HOURS = 26
# CRM and field service first: their order is the order of everything that lists sources.
API_SOURCES = (
    "hubspot",
    "salesforce",
    "servicetitan",
    "housecall_pro",
    "jobber",
    "ga4",
    "ga4_data",
    "callrail",
    "twilio",
    "calendly",
    "typeform",
    "surveymonkey",
)


@dataclass(frozen=True)
class SourceSettings:
    """What the company directory says about one source: ``config.toml``, ``secrets.toml``, the environment, ``sources/<name>.yml``.

    ``credentials_file`` is where tokens that change with every use are kept, ``data_dir`` where relative paths of files begin.
    """

    name: str
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]
    environ: Mapping[str, str]
    file: Path | None
    credentials_file: Path
    data_dir: Path

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``: the environment's ``SOURCES__<NAME>__<KEY>`` wins over ``config.toml``."""
        return self.environ.get(self._variable(key), self.config.get(key, default))

    def require(self, key: str) -> Any:
        """The value of ``key``; ConfigurationError where it is missing or empty."""
        value = self.get(key)
        if value in (None, ""):
            raise ConfigurationError(
                f".dlt/config.toml: [sources.{self.name}] has no '{key}'. "
                f"Add it there, or set the environment variable {self._variable(key)}."
            )
        return value

    def number(self, key: str, default: float) -> float:
        """The number above zero under ``key``; ConfigurationError for anything else."""
        given = self.get(key, default)
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = 0.0
        if not 0 < value < float("inf"):
            raise ConfigurationError(
                f".dlt/config.toml: [sources.{self.name}] {key} = {given!r}; expected a number above 0."
            )
        return value

    def secret(self, key: str) -> str:
        """The secret ``key``; ConfigurationError (which never shows a value) where it is missing or empty."""
        value = self.optional_secret(key)
        if value is None:
            raise ConfigurationError(
                f".dlt/secrets.toml: the secret '{key}' of source '{self.name}' is missing. "
                f"Add it under [sources.{self.name}], or set the environment variable {self._variable(key)}."
            )
        return value

    def optional_secret(self, key: str) -> str | None:
        """The secret ``key``; None where it is missing or empty."""
        value = self.environ.get(self._variable(key)) or self.secrets.get(key)
        if value:
            hide(str(value))
        return str(value) if value else None

    def _variable(self, key: str) -> str:
        return f"SOURCES__{self.name}__{key}".upper()


@dataclass(frozen=True)
class Company:
    """A company directory: what people write (``process.yml``, ``sources/``, ``.dlt/``, ``data/``) and what runs produce (``var/``)."""

    root: Path
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]
    environ: Mapping[str, str]

    @classmethod
    def open(cls, root: Path | str, environ: Mapping[str, str] | None = None) -> Company:
        """Open the directory ``root``; ConfigurationError if it holds no ``process.yml`` or a TOML file that cannot be read."""
        root = Path(root).resolve()
        if not (root / "process.yml").is_file():
            raise ConfigurationError(
                f"{root} is no company directory: it has no process.yml. Make one with 'salesgauge init {root.name or 'DIR'}', "
                "or name another with --company DIR."
            )
        config = _read_toml(root / ".dlt" / "config.toml")
        secrets = _read_toml(root / ".dlt" / "secrets.toml")
        return cls(root, config, secrets, dict(os.environ if environ is None else environ))

    @property
    def process_file(self) -> Path:
        return self.root / "process.yml"

    @property
    def sources_dir(self) -> Path:
        return self.root / "sources"

    @property
    def data_dir(self) -> Path:
        """Where relative paths of file sources begin: ``$SALESGAUGE_DATA``, else ``data/``."""
        override = self.environ.get("SALESGAUGE_DATA")
        return Path(override).resolve() if override else self.root / "data"

    @property
    def var(self) -> Path:
        return self.root / "var"

    @property
    def raw_dir(self) -> Path:
        return self.var / "raw"

    @property
    def work_dir(self) -> Path:
        return self.var / "work"

    @property
    def warehouse_file(self) -> Path:
        """The working warehouse. Nobody reads it but the run itself."""
        return self.var / "warehouse" / "salesgauge.duckdb"

    @property
    def published_dir(self) -> Path:
        return self.var / "published"

    @property
    def pointer(self) -> Path:
        """The published version: a link that moves atomically."""
        return self.published_dir / "salesgauge.duckdb"

    @property
    def reports_dir(self) -> Path:
        return self.var / "reports"

    @property
    def logs_dir(self) -> Path:
        return self.var / "logs"

    @property
    def locks_dir(self) -> Path:
        """Forecast locks that were recorded on their Monday."""
        return self.var / "locks"

    @property
    def credentials_dir(self) -> Path:
        """Tokens that a source changes with every use; readable by the owner only."""
        return self.var / "credentials"

    @property
    def suppressed_file(self) -> Path:
        """The hashes of erased persons; there is none before somebody was erased."""
        return self.credentials_dir / "suppressed.json"

    @property
    def outcomes_dir(self) -> Path:
        """What came of the last sync of each source."""
        return self.var / "sources"

    @property
    def dagster_home(self) -> Path:
        return self.var / "dagster"

    @property
    def dbt_target_dir(self) -> Path:
        return self.var / "work" / "dbt"

    @cached_property
    def as_of(self) -> datetime | None:
        """The fixed ``as_of`` of ``config.toml`` (UTC, naive), or None: then the caller's clock is meant."""
        value = self.setting("as_of")
        if value is None:
            return None
        try:
            return parse_utc(value)
        except ValueError as error:
            raise ConfigurationError(
                f".dlt/config.toml: [salesgauge] as_of = {value!r} is no ISO 8601 time. Write it like 2026-07-01T05:00:00Z."
            ) from error

    @property
    def wants_pdf(self) -> bool:
        """Whether a run prints its report as PDF too."""
        value = self.setting("report_pdf", True)
        known = {"true": True, "false": False}.get(str(value).lower())
        if known is None:
            raise ConfigurationError(f".dlt/config.toml: [salesgauge] report_pdf = {value!r} must be true or false.")
        return known

    @property
    def owners(self) -> list[str]:
        """Who is asked about the company's data: addresses, and teams as ``team:sales_ops``; ConfigurationError for anything else."""
        found = self.setting("owners", [])
        for owner in found if isinstance(found, list) else [found]:
            if not re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+\.[^@\s]+", str(owner)):
                raise ConfigurationError(
                    f".dlt/config.toml: [salesgauge] owners has {owner!r}. Write a list of addresses and teams, for example "
                    'owners = ["ann@example.com", "team:sales_ops"].'
                )
        return list(found) if isinstance(found, list) else [found]

    def stale_after(self, source: str | None = None) -> timedelta:
        """How old what is published, or what ``source`` said last, may be before it counts as stale: ``stale_after_hours``, default 26."""
        where = f"[sources.{source}]" if source else "[salesgauge]"
        value = self.source(source).get("stale_after_hours") if source else None
        value = self.setting("stale_after_hours", STALE_AFTER_HOURS) if value is None else value
        try:
            hours = float(value)
        except (TypeError, ValueError):
            hours = 0
        if not 0.1 <= hours < 24 * 366:
            raise ConfigurationError(
                f".dlt/config.toml: {where} stale_after_hours = {value!r} must be a number of hours from 0.1 on, for example 26."
            )
        return timedelta(hours=hours)

    def check_settings(self) -> None:
        """ConfigurationError for the first setting that only the Dagster page or the report would stumble over."""
        _ = self.owners, self.wants_pdf, [self.stale_after(name) for name in (None, *self.configured_sources())]

    def setting(self, key: str, default: Any = None) -> Any:
        """A value of ``[salesgauge]`` in ``config.toml``; the environment's ``SALESGAUGE__<KEY>`` wins."""
        value = self.environ.get(f"SALESGAUGE__{key.upper()}")
        if value is None:
            value = self.secrets.get("salesgauge", {}).get(key)
        if value is None:
            value = self.config.get("salesgauge", {}).get(key)
        return default if value in (None, "") else value

    def configured_sources(self) -> list[str]:
        """Names of the sources that are on, in a fixed order: API sources of ``config.toml``, then file sources of ``sources/*.yml``."""
        from salesgauge.yaml_file import (
            load_yaml,  # with all that reads and checks YAML, which most commands do not need
        )

        configured = self.config.get("sources", {})
        files = [path.stem for path in self._source_files() if {"files", "tables"} & set(load_yaml(path) or {})]
        unknown = sorted(set(configured) - set(API_SOURCES) - set(files))
        if unknown:
            raise ConfigurationError(
                f".dlt/config.toml: [sources.{unknown[0]}] names no source that Salesgauge knows. "
                f"Expected one of: {', '.join(API_SOURCES)}; files are described in sources/<name>.yml."
            )
        clash = sorted(set(files) & set(API_SOURCES))
        if clash:
            raise ConfigurationError(
                f"sources/{clash[0]}.yml: a file source can't be called '{clash[0]}'. Give it another name."
            )
        return [name for name in API_SOURCES if name in configured] + files

    def source(self, name: str) -> SourceSettings:
        """The settings of source ``name`` (empty ones where nothing is configured)."""
        file = self.sources_dir / f"{name}.yml"
        return SourceSettings(
            name=name,
            config=self.config.get("sources", {}).get(name, {}),
            secrets=self.secrets.get("sources", {}).get(name, {}),
            environ=self.environ,
            file=file if file.is_file() else None,
            credentials_file=self.credentials_dir / f"{name}.json",
            data_dir=self.data_dir,
        )

    def _source_files(self) -> list[Path]:
        return sorted(self.sources_dir.glob("*.yml")) if self.sources_dir.is_dir() else []


def parse_utc(value: str | datetime) -> datetime:
    """A time as naive UTC; text without an offset is UTC. ValueError if it is no ISO 8601 time."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The parser's message holds a position, never a value: secrets.toml is read here too.
        raise ConfigurationError(f"{path.parent.name}/{path.name} can't be read as TOML: {error}") from error


def default_company_root(environ: Mapping[str, str] | None = None) -> Path:
    """The company directory of a Dagster code location: ``$SALESGAUGE_COMPANY``, else the demo's ``var/demo``."""
    value = (os.environ if environ is None else environ).get("SALESGAUGE_COMPANY")
    return Path(value).resolve() if value else PROJECT_ROOT / "var" / "demo"
