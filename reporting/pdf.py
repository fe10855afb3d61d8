"""The PDF of a report, where WeasyPrint finds pango. Nothing is fetched: the page holds everything it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INSTALL_PANGO = "no PDF: install pango (apt install libpango-1.0-0 libpangoft2-1.0-0) and run the report again"


def write_pdf(html: str, target: Path) -> str | None:
    """Write ``html`` as PDF to ``target``; None when it is there, else one line that says what to do.

    An older PDF is removed when this one can't be made, so that the two files never tell of different versions.
    """
    try:
        # Looks for pango when it is imported.
        import weasyprint
    except OSError:
        target.unlink(missing_ok=True)
        return INSTALL_PANGO
    draft = target.with_name(f".{target.name}.part")
    weasyprint.HTML(string=html, url_fetcher=_refuse).write_pdf(draft)
    draft.replace(target)
    return None


def _refuse(url: str, *_: Any, **__: Any) -> dict[str, Any]:
    raise ValueError(f"a report fetches nothing, but it refers to {url[:80]!r}")
