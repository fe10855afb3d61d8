"""How the tests are shared out between processes (``make test`` has two). What tests use belongs to the folders."""

from __future__ import annotations

import pytest

# A worker that begins a long file last leaves the other one idle. By processor time, longest first.
LONGEST = (
    "tests/orchestration/test_pipeline.py",
    "tests/e2e/",
    "tests/dbt/",
    "tests/orchestration/",
    "tests/faults/",
    "tests/metrics/",
    "tests/quality/",
    "tests/ingestion/connectors/",
)
# Their files share a fixture that takes long to make.
TOGETHER = ("tests/metrics/",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a company stay in one process: those of a file, of each parameter of its module fixtures on its own."""
    places: dict[str, tuple[int, int]] = {}
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
        places.setdefault(_name(item), (_rank(item), len(places)))
    items.sort(key=lambda item: places[_name(item)])


def _group(item: pytest.Item) -> str:
    path = item.nodeid.partition("::")[0]
    folder = next((folder for folder in TOGETHER if path.startswith(folder)), None)
    if folder:
        return folder.rstrip("/")
    spec = getattr(item, "callspec", None)
    shared = [name for name in spec.params if _is_shared(item, name)] if spec else []
    return "-".join([path, *(str(spec.params[name]) for name in shared)])


def _is_shared(item: pytest.Item, name: str) -> bool:
    """Whether the parameter ``name`` is that of a fixture which many tests share."""
    found = item._fixtureinfo.name2fixturedefs.get(name)  # type: ignore[attr-defined]
    return bool(found) and found[-1].scope in ("module", "session")


def _name(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    return str(marker.args[0])


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))
