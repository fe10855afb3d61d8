"""Which CRMs and field-service systems the simulated company can run, one module each. How such a system speaks is in ``demo.servers``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the command line lists the names: it shall not wait for pandas
    from demo.log import CompanyLog
    from demo.servers.traffic import Traffic
    from demo.truth.dialect import Dialect

CRMS = ("hubspot", "salesforce", "servicetitan", "housecall_pro", "jobber")


class Server(Protocol):
    """A loopback system: ``app`` is its ASGI application, ``state`` what it answers from, ``replace`` makes it answer from another log."""

    app: Any
    state: Any
    traffic: Traffic

    def replace(self, log: CompanyLog) -> None: ...


class Crm(Protocol):
    """What a module of this package offers.

    ``server``: the system of a log; ``config`` and ``secrets``: TOML for the company directory; ``files``: further files of it by path;
    ``record_id``: how a ``lead`` or ``deal`` of the log is called there; ``known``: the log as this system can tell it; ``DIALECT``: how it
    names things.
    """

    DIALECT: Dialect

    def server(self, log: CompanyLog, options: Any = ...) -> Server: ...

    def config(self, url: str) -> str: ...

    def secrets(self) -> str: ...

    def files(self) -> Mapping[str, str]: ...

    def record_id(self, kind: str, log_id: str) -> str: ...

    def known(self, log: CompanyLog) -> CompanyLog: ...


def crm(name: str) -> Crm:
    """The module of ``name``; ValueError for one that is not in ``CRMS``."""
    match name:
        case "hubspot":
            from demo.crms import hubspot

            return hubspot
        case "salesforce":
            from demo.crms import salesforce

            return salesforce
        case "servicetitan":
            from demo.crms import servicetitan

            return servicetitan
        case "housecall_pro":
            from demo.crms import housecall_pro

            return housecall_pro
        case "jobber":
            from demo.crms import jobber

            return jobber
        case _:
            raise ValueError(f"the demo company does not run '{name}'; it can run: {', '.join(CRMS)}")
