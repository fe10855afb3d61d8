"""Wall time and peak memory of one whole run of the demo by step, and the time of a metric query on what it published."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median

import psutil

from demo.company import write
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from metrics import MetricStore
from orchestration import pipeline
from salesgauge.settings import Company
from salesgauge.warehouse import open_published

SAMPLE_SECONDS = 0.05
QUERIES = 30
HAND_WRITTEN = "select rep, date_trunc('month', closed_date) as month, avg(is_won::int) as win_rate from marts.fct_closed_deal group by all order by all"


class StepMemory:
    """A reporter that notes the largest resident size of this process while each step runs, and how long it runs."""

    def __init__(self) -> None:
        self.peak_mb: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self._open: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def step(self, name: str, detail: str = "") -> None:
        self._open.setdefault(name, time.perf_counter())

    def advance(self, name: str, done: int, total: int | None = None, unit: str = "rows") -> None:
        self.step(name)

    def done(self, name: str, detail: str = "") -> None:
        self.seconds[name] = time.perf_counter() - self._open.pop(name, time.perf_counter())

    def close(self) -> None:
        """End the sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(SAMPLE_SECONDS):
            size = process.memory_info().rss / 1e6
            for name in list(self._open):
                self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), size)


def measure(work: Path, *, seed: int = 1) -> dict[str, float]:
    """Figures of one run on an empty company: seconds and peak MB by step; warm and first query, and the ratio to hand-written SQL."""
    log = simulate(seed)
    memory = StepMemory()
    with DemoServers(log) as servers:
        write(work, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
        company = Company.open(work)
        outcome = pipeline.run(company, reporter=memory)
    memory.close()
    if outcome.exit_code != 0:
        raise RuntimeError(outcome.error)
    figures = {"run_seconds": outcome.seconds}
    for name, seconds in memory.seconds.items():
        figures[f"run_{name}_seconds"] = seconds
        figures[f"run_{name}_peak_mb"] = memory.peak_mb.get(name, 0.0)
    for name, source in outcome.sources.items():
        figures[f"run_{name}_rows_per_second"] = source["received"] / source["seconds"]
    return figures | _queries(company.pointer)


def _queries(pointer: Path) -> dict[str, float]:
    began = time.perf_counter()
    store = MetricStore(pointer)
    store.query("win_rate", by=["rep"], grain="month")
    first = time.perf_counter() - began
    with open_published(pointer) as con:
        pairs = []
        for _ in range(QUERIES):
            began = time.perf_counter()
            con.execute(HAND_WRITTEN).df()
            between = time.perf_counter()
            store.query("win_rate", by=["rep"], grain="month")
            pairs.append((time.perf_counter() - between, between - began))
    return {
        "query_first_ms": first * 1e3,
        "query_warm_ms": median(own for own, _ in pairs) * 1e3,
        "query_hand_written_ms": median(peer for _, peer in pairs) * 1e3,
        "query_ratio_to_hand_written": median(own / peer for own, peer in pairs),
    }
