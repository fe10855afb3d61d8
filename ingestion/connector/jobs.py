"""Jobs of one source side by side. What a job does belongs to its source; how many requests a vendor allows, to ``http``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from ingestion.http.answers import Stopped

Result = TypeVar("Result")


class Stoppable(Protocol):
    """What makes waiting threads end: an ``HttpClient``."""

    def stop(self) -> None: ...


def run_all(client: Stoppable, jobs: Sequence[Callable[[], Result]], threads: int = 4) -> list[Result]:
    """The results of ``jobs`` in their order. The first error stops the others and is raised."""
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="job") as pool:
        futures: list[Future[Result]] = [pool.submit(job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and not future.cancelled() and future.exception() is None for future in futures):
                client.stop()
                pool.shutdown(cancel_futures=True)
    errors = [future.exception() for future in futures if not future.cancelled() and future.exception() is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error  # type: ignore[misc]
    return [future.result() for future in futures]
