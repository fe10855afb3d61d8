"""What dbt's Jinja knows and sqlfluff's does not, for `make lint`: variables, the graph of metrics, the phase.

sqlfluff loads this module anew for every file and puts its public names beside its own stand-ins for ref, source and config
(`apply_dbt_builtins`): so the long file is read only where a model asks for it. Nothing here is read by dbt.
"""

from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

_PROJECT = Path(__file__).parents[1]


def _read(file: Path) -> Any:
    return yaml.load(file.read_bytes(), yaml.CSafeLoader)


class _Graph:
    """The declared metrics by name, as in dbt's graph. Of those that have no table of their own one of each kind: the table of all others
    holds the same SQL for each of them, more than sqlfluff can read."""

    @cached_property
    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        kinds = set()
        for metric in _read(_PROJECT / "models/semantic/metrics.yml")["metrics"]:
            meta = metric.get("config", {}).get("meta", {})
            if meta.get("mart") or meta.get("kind") not in kinds:
                found[metric["name"]] = metric
                kinds |= set() if meta.get("mart") else {meta.get("kind")}
        return found


_variables = _read(_PROJECT / "dbt_project.yml")["vars"]
# Every source: what one of them brings to a model is checked too.
_variables["sources"] = sorted(
    folder.name for folder in (_PROJECT / "models/staging").iterdir() if folder.name != "files"
)
# A rule of each kind: without one, the parts of a model that are about rules are not looked at.
_variables["qualification"] = {
    "criteria": [{"criterion": "budget", "sql": '"deal"."budget_band" is not null or "lead"."phone" is not null'}],
    "columns": {"deal": [{"name": "budget_band", "is_text": True}], "lead": [{"name": "phone", "is_text": True}]},
}


def var(name: str, default: Any = None) -> Any:
    return _variables.get(name, default)


def _raise(message: str) -> None:
    raise ValueError(message)


execute = True
graph = _Graph()
exceptions = SimpleNamespace(raise_compiler_error=_raise)
