"""What every part of Salesgauge shares: settings, the process file's model, the canonical entities, warehouse connections.

Imports nothing else of the project, but for the door that people use: ``open_company`` for notebooks, which loads what it needs when it is called. Business
rules do not belong here (they are in ``dbt_project``), nor does anything that talks to a source, an orchestrator or a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.notebooks import CompanyData


def open_company(root: Path | str) -> CompanyData:
    """The company in the directory ``root``, for notebooks: its metrics as data frames (docs/how-to/use-notebooks.md).

    ConfigurationError: there is none, or nothing is published yet.
    """
    from orchestration.notebooks import open_company as opened

    return opened(root)
