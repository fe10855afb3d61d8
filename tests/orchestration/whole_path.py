"""The whole path of a small company in one process: its servers, check, run, question. At its end it tries to reach two hosts that it should not. Prints what came of it.

With ``--empty-network`` in a network namespace of its own: nothing but loopback is there, and the kernel counts who looked for more.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

CONTROL = ("192.0.2.1", "telemetry.example")  # an address for documentation, and a name that nobody has
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40


def raise_loopback() -> None:
    """Switch ``lo`` on."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _UP_AND_RUNNING))


def without_route() -> int:
    """How many packets of this namespace found no way out, whoever sent them: also libraries that do not use Python's sockets."""
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    count = int(dict(zip(*rows, strict=True))["OutNoRoutes"])
    six = (
        [line.split() for line in Path("/proc/net/snmp6").read_text().splitlines()]
        if Path("/proc/net/snmp6").exists()
        else []
    )
    return count + sum(int(value) for name, value in six if name == "Ip6OutNoRoutes")


def main(root: Path, is_alone: bool) -> None:
    if is_alone:
        raise_loopback()
    os.environ["SALESGAUGE__REPORT_PDF"] = "true"
    from demo.company import write
    from demo.serve import DemoServers
    from demo.simulation.simulate import simulate
    from metrics import MetricStore
    from orchestration import pipeline, sources, transform
    from salesgauge.settings import Company

    # A copy of the project, for which nothing is kept: dbt has to compile it.
    project = root.with_name("dbt_project")
    shutil.copytree(transform.DBT_PROJECT, project, ignore=shutil.ignore_patterns("target"))
    transform.DBT_PROJECT = project
    log = simulate(7, 0.022, days=400)
    with DemoServers(log) as servers:
        urls = (servers.crm_url, servers.typeform_url)
        write(root, log, crm_url=urls[0], typeform_url=urls[1])
        company = Company.open(root)
        findings = [finding for found in sources.check(company, []).values() for finding in found]
        outcome = pipeline.run(company)
        with MetricStore(company.pointer) as store:
            answer = store.query("deals_created", grain="year")
        before = without_route() if is_alone else None
        for host in CONTROL:  # both watches have to notice these
            with contextlib.suppress(OSError):
                socket.create_connection((host, 443), timeout=0.2).close()
        print(  # noqa: T201
            json.dumps(
                {
                    "exit_code": outcome.exit_code,
                    "error": outcome.error,
                    "findings": [finding.is_ok for finding in findings],
                    "rows": len(answer),
                    "ports": [urlsplit(url).port for url in urls],
                    "loaded": [
                        name
                        for name in ("dlt", "dbt", "dagster", "great_expectations", "metricflow")
                        if name in sys.modules
                    ],
                    "without_route": before,
                    "without_route_at_the_end": without_route() if is_alone else None,
                }
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--empty-network" in sys.argv)
