"""Brings the loopback servers of a company log up and down. What they answer is in ``servers``, which CRM it is in ``crms``."""

from __future__ import annotations

from types import TracebackType

from demo.crms import Server, crm
from demo.log import CompanyLog
from demo.servers.traffic import Limit, Loopback, Traffic
from demo.servers.typeform.server import TypeformOptions, TypeformServer, TypeformState

# Typeform's limit, a tenth of the time long: a run of the demo is refused now and then but does not wait for minutes.
DEMO_TYPEFORM = TypeformOptions(rate=Limit(20, 1.0, "SECONDLY"), refuse_every=7)


class DemoServers:
    """The CRM and the Typeform of one company on 127.0.0.1; a context manager. Ports 0 take free ones.

    ``crm_name`` says which system it runs; ``crm_server`` is another server to use for it, with limits of its own. ``crm`` and ``typeform``
    are the servers (their ``traffic`` counts what was asked and served); ``crm_url`` and ``typeform_url`` their addresses while they run.
    """

    def __init__(
        self, log: CompanyLog, crm_name: str = "hubspot", *, crm_server: Server | None = None, crm_port: int = 0,
        typeform_port: int = 0, typeform: TypeformOptions = DEMO_TYPEFORM,
    ) -> None:  # fmt: skip
        self.crm_name = crm_name
        self.module = crm(crm_name)
        self.crm = self.module.server(log) if crm_server is None else crm_server
        self.typeform = TypeformServer(TypeformState(log, self.module.record_id), typeform)
        self._running = (Loopback(self.crm.app, crm_port), Loopback(self.typeform.app, typeform_port))
        self.crm_url = self.typeform_url = ""

    def start(self) -> tuple[str, str]:
        """Serve; returns the addresses of the CRM and Typeform. RuntimeError if a port is taken."""
        try:
            self.crm_url, self.typeform_url = (server.start() for server in self._running)
        except RuntimeError:
            self.stop()
            raise
        return self.crm_url, self.typeform_url

    def stop(self) -> None:
        """Stop both."""
        for server in self._running:
            server.stop()

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on, as a CRM in which people went on working (``tests.mutate``)."""
        self.crm.replace(log)
        self.typeform.state = TypeformState(log, self.module.record_id)

    @property
    def traffic(self) -> dict[str, Traffic]:
        """What was asked of each server so far."""
        return {self.crm_name: self.crm.traffic, "typeform": self.typeform.traffic}

    def __enter__(self) -> DemoServers:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
