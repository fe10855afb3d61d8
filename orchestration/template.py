"""Writes the commented company directory of ``salesgauge init``. The files themselves are in ``template/``."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"


def write_template(directory: Path) -> list[Path]:
    """Copy the template to ``directory``; the files written, those that were there left as they are.

    A file ``dot_x`` of the template becomes ``.x``: folders with a leading dot get lost in packages.
    """
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        parts = [
            part.replace("dot_", ".", 1) if part.startswith("dot_") else part
            for part in source.relative_to(TEMPLATE).parts
        ]
        target = directory.joinpath(*parts)
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        written.append(target)
    return written
