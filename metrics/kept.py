"""Questions in SQL, kept for other processes, which then ask without MetricFlow. Making them belongs to ``store``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from metrics.estimates import FILES, FOLDER
from salesgauge.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Compiled:
    """A question in SQL. ``columns``: the columns of the answer but the last, with the names that MetricFlow gives them; ``value``: its name of the last.

    ``estimate``: SQL of n and interval for the same columns, empty where the metric is no KPI; ``kind`` and ``unit`` as they are declared.
    """

    sql: str
    columns: dict[str, str]
    value: str
    estimate: str = ""
    kind: str = ""
    unit: str = ""


class Kept:
    """The SQL of questions in ``folder``, as long as nothing has changed of what it follows from: ``definitions`` and the code that makes it."""

    def __init__(self, folder: Path, *definitions: str) -> None:
        # What is in ``engine`` names the version of MetricFlow.
        code = [*Path(__file__).parent.glob("*.py"), PROJECT_ROOT / "salesgauge" / "process" / "expressions.py"]
        code += [FOLDER / name for name in FILES]
        parts = [*definitions, *(file.read_text(encoding="utf-8") for file in sorted(code))]
        self._folder = folder / hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def recall(self, question: str) -> Compiled | None:
        """What another process compiled for the same question in the same state."""
        try:
            content = json.loads(self._file(question).read_text(encoding="utf-8"))
            return Compiled(**content["compiled"]) if content["question"] == question else None
        except (OSError, ValueError, TypeError, KeyError):  # none, or half of one
            return None

    def keep(self, question: str, compiled: Compiled) -> None:
        """Keep it for other processes, in the place of what was kept of other states; where nothing can be written, nothing is kept."""
        with suppress(OSError):
            if not self._folder.is_dir():
                shutil.rmtree(self._folder.parent, ignore_errors=True)
                self._folder.mkdir(parents=True)
            file = self._file(question)
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(
                json.dumps({"question": question, "compiled": asdict(compiled)}, ensure_ascii=False), encoding="utf-8"
            )
            draft.replace(file)

    def _file(self, question: str) -> Path:
        return self._folder / f"{hashlib.sha256(question.encode()).hexdigest()}.json"


def can_be_found(where: str | None) -> bool:
    """Whether a value of the condition stands in a file as it is: an erasure deletes the files of the working folder that name the person."""
    return where is None or (
        where.isascii() and where.isprintable() and not any(mark in where for mark in ("''", '"', "\\"))
    )
