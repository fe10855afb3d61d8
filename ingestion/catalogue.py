"""Which sources with an API there are: each connector by its name, and all raw tables. What a connector must have is ``connector.protocol``'s matter.

The only place that names them all. A connector is imported when it is asked for: a command that needs none does not wait for twelve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingestion import rawlog
from ingestion.connector.protocol import Connector
from salesgauge.settings import API_SOURCES, Company
from salesgauge.yaml_file import load_yaml

if TYPE_CHECKING:
    import duckdb

    from ingestion.connector.about import About
    from ingestion.rawlog.declarations import Tables


def connector(name: str) -> Connector:
    """The connector of the source ``name``, one of ``API_SOURCES``; KeyError for any other name."""
    match name:
        case "calendly":
            from ingestion.sources import calendly

            return calendly
        case "callrail":
            from ingestion.sources import callrail

            return callrail
        case "ga4":
            from ingestion.sources import ga4

            return ga4
        case "ga4_data":
            from ingestion.sources import ga4_data

            return ga4_data
        case "housecall_pro":
            from ingestion.sources import housecall_pro

            return housecall_pro
        case "hubspot":
            from ingestion.sources import hubspot

            return hubspot
        case "jobber":
            from ingestion.sources import jobber

            return jobber
        case "salesforce":
            from ingestion.sources import salesforce

            return salesforce
        case "servicetitan":
            from ingestion.sources import servicetitan

            return servicetitan
        case "surveymonkey":
            from ingestion.sources import surveymonkey

            return surveymonkey
        case "twilio":
            from ingestion.sources import twilio

            return twilio
        case "typeform":
            from ingestion.sources import typeform

            return typeform
        case _:
            raise KeyError(f"there is no connector '{name}'")


def about(name: str) -> About | None:
    """What the connector ``name`` says of itself; None for a source that ``sources/<name>.yml`` describes."""
    return connector(name).ABOUT if name in API_SOURCES else None


@cache
def raw_tables() -> Tables:
    """The raw tables of all connectors, by source."""
    return MappingProxyType({name: tuple(connector(name).TABLES) for name in API_SOURCES})


def create_views(con: duckdb.DuckDBPyConnection, company: Company, names: Iterable[str] = API_SOURCES) -> None:
    """(Re)create the views over the raw log of ``company``: of raw tables those of the connectors ``names``; see ``rawlog.create_views``."""
    rawlog.create_views(con, company, {name: tuple(connector(name).TABLES) for name in names})


def is_database(company: Company, name: str) -> bool:
    """Whether ``sources/<name>.yml`` describes tables of a database, and no files."""
    return "tables" in (load_yaml(company.sources_dir / f"{name}.yml") or {})


def lander(company: Company, name: str) -> Callable[..., int | tuple[int, str | None]]:
    """The function that lands a source: ``extract`` of its connector, or what reads the files or tables that ``sources/<name>.yml`` describes."""
    if name in API_SOURCES:
        return connector(name).extract
    from ingestion.files.databases import extract_tables
    from ingestion.files.run import extract_files

    return partial(extract_tables if is_database(company, name) else extract_files, name=name)
