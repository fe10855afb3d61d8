"""Brings the loopback servers of a company log up and down. What they answer is in ``servers``."""

from __future__ import annotations

from types import TracebackType

from demo.log import CompanyLog
from demo.servers.hubspot import HubSpotOptions, HubSpotServer
from demo.servers.hubspot_state import HubSpotState
from demo.servers.traffic import Limit, Loopback, Traffic
from demo.servers.typeform import TypeformOptions, TypeformServer, TypeformState

# HubSpot's and Typeform's limits, a tenth of the time long: a run of the demo is refused now and then but does not wait for minutes.
DEMO_HUBSPOT = HubSpotOptions(
    burst=Limit(190, 1.0, "TEN_SECONDLY_ROLLING"), search=Limit(20, 1.0, "SECONDLY"), refuse_every=240
)
DEMO_TYPEFORM = TypeformOptions(rate=Limit(20, 1.0, "SECONDLY"), refuse_every=7)


class DemoServers:
    """HubSpot and Typeform of one company on 127.0.0.1; a context manager. Ports 0 take free ones.

    ``hubspot`` and ``typeform`` are the servers (their ``traffic`` counts what was asked and served); ``hubspot_url`` and ``typeform_url``
    their addresses while they run.
    """

    def __init__(
        self, log: CompanyLog, *, hubspot_port: int = 0, typeform_port: int = 0,
        hubspot: HubSpotOptions = DEMO_HUBSPOT, typeform: TypeformOptions = DEMO_TYPEFORM,
    ) -> None:  # fmt: skip
        self.hubspot = HubSpotServer(HubSpotState(log), hubspot)
        self.typeform = TypeformServer(TypeformState(log), typeform)
        self._running = (Loopback(self.hubspot.app, hubspot_port), Loopback(self.typeform.app, typeform_port))
        self.hubspot_url = self.typeform_url = ""

    def start(self) -> tuple[str, str]:
        """Serve; returns the addresses of HubSpot and Typeform. RuntimeError if a port is taken."""
        try:
            self.hubspot_url, self.typeform_url = (server.start() for server in self._running)
        except RuntimeError:
            self.stop()
            raise
        return self.hubspot_url, self.typeform_url

    def stop(self) -> None:
        """Stop both."""
        for server in self._running:
            server.stop()

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on, as a CRM in which people went on working (``demo.mutate``)."""
        self.hubspot.state, self.typeform.state = HubSpotState(log), TypeformState(log)

    @property
    def traffic(self) -> dict[str, Traffic]:
        """What was asked of each server so far."""
        return {"hubspot": self.hubspot.traffic, "typeform": self.typeform.traffic}

    def __enter__(self) -> DemoServers:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
