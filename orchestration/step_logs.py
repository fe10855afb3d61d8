"""Where Dagster keeps what the steps of a run print: in the company's Dagster home, for runs that the daemon or the page started.

A run at the terminal prints there; capturing it would start two processes for each step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

AT_THE_TERMINAL = "SALESGAUGE_AT_THE_TERMINAL"
"""The variable of the environment that a run at the terminal sets."""


class StepLogs(LocalComputeLogManager):
    """Dagster's local logs, without those of runs at the terminal."""

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """As Dagster does; nothing is captured at the terminal."""
        if os.environ.get(AT_THE_TERMINAL):
            yield CapturedLogContext(log_key)
            return
        with super().capture_logs(log_key) as context:
            yield context

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> StepLogs:
        return cls(base_dir=str(Path(config_value["base_dir"]) / "step_logs"), inst_data=inst_data)
