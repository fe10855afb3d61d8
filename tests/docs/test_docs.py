"""What holds of all documents: what is written from the project is as the project is, links lead somewhere, tables can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metrics.reference import pages
from salesgauge.settings import PROJECT_ROOT

WIDEST = 300  # characters of a cell
DOCUMENTS = sorted(
    str(file.relative_to(PROJECT_ROOT))
    for file in [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md"), *(PROJECT_ROOT / "examples").rglob("*.md")]
)  # fmt: skip


@pytest.mark.parametrize("name", pages())
def test_what_is_declared_is_written_down(name: str) -> None:
    assert (PROJECT_ROOT / name).read_text(encoding="utf-8") == pages()[name], "run 'make docs'"


def test_no_cell_of_a_table_is_a_page() -> None:
    wide = []
    for name in DOCUMENTS:
        for number, line in enumerate((PROJECT_ROOT / name).read_text(encoding="utf-8").split("\n"), start=1):
            if line.lstrip().startswith("|"):
                wide += [f"{name}:{number}" for cell in re.split(r"(?<!\\)\|", line) if len(cell.strip()) > WIDEST]
    assert wide == []


def test_links_lead_somewhere() -> None:
    broken = []
    for name in DOCUMENTS:
        file = PROJECT_ROOT / name
        for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
            path, _, place = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            there = (file.parent / path).resolve() if path else file
            if not there.exists() or (place and there.suffix == ".md" and place not in _places(there)):
                broken.append(f"{name}: {target}")
    assert broken == []


def _places(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
