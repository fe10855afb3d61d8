"""How often and how long a source is asked: rate limits shared by threads, retries bounded in time, what ``Retry-After`` says.

Sending requests belongs to ``client``; which limits a vendor has, to its connector.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """How long a request is tried. ``seconds`` bounds the time from the first failure; ``attempts`` the tries in it, and
    ``unreachable_attempts`` those where nobody even answers: such a host rarely comes back while one waits.
    """

    attempts: int = 8
    seconds: float = 300.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect_timeout: float = 10.0
    read_timeout: float = 90.0
    unreachable_attempts: int = 4

    def backoff(self, failures: int) -> float:
        """Seconds after the ``failures``-th failure in a row: doubling, with jitter so that threads do not come back as one."""
        wait: float = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        return wait * random.uniform(0.7, 1.0)


class RateLimit:
    """At most ``requests`` in any ``seconds``, for all threads that share it: an exact rolling window, as the vendors count."""

    def __init__(self, requests: float, seconds: float, is_fixed: bool = True) -> None:
        self.requests, self.seconds, self.is_fixed = max(1, int(requests)), float(seconds), is_fixed
        self._taken: deque[float] = deque()
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Book the next free place; returns the seconds to wait for it."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._paused_until)
            while len(self._taken) > self.requests:
                self._taken.popleft()
            if len(self._taken) >= self.requests:
                at = max(at, self._taken[-self.requests] + self.seconds)
            self._taken.append(at)
            return at - now

    def pause(self, seconds: float) -> None:
        """No further place before ``seconds`` from now: after a 429 every thread waits, not only the one that saw it."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def follow(self, requests: int, seconds: float) -> None:
        """Take the limit that the server states, unless the configuration fixed one."""
        if self.is_fixed or requests < 1 or seconds <= 0:
            return
        with self._lock:
            self.requests, self.seconds = requests, seconds


def server_clock(headers: Mapping[str, str]) -> float | None:
    """The server's clock in an answer (seconds since 1970), or None where it sends none."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for: a number, or a date measured by the server's own clock. None where it says nothing."""
    text = (headers.get("Retry-After") or "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    now = server_clock(headers)
    return max(0.0, at - (time.time() if now is None else now))
