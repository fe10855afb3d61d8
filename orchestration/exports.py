"""Files in the data directory that no source reads. Writing a mapping for them belongs to ``salesgauge sources init``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company
from salesgauge.yaml_file import load_yaml

_EXPORTS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet", ".jsonl", ".ndjson", ".json", ".xes")
_PACKED = (".gz", ".zip", ".zst", ".bz2")
_MOST = 1_000


def unread_exports(company: Company) -> list[Path]:
    """The exports below the data directory that no mapping names, by name; none where the folder is that of another program's files.

    A mapping that can't be read says nothing here: the run says what is wrong with it.
    """
    root = company.data_dir
    if not root.is_dir():
        return []
    exports = [path for path in root.rglob("*") if _is_export(path.relative_to(root))]
    if len(exports) > _MOST:
        return []
    read = {path for pattern in _patterns(company) for path in _glob(root, pattern)}
    folders = [root / name for name in _folders(company)]
    return sorted(path for path in exports if path not in read and not any(path.is_relative_to(one) for one in folders))


def _is_export(name: Path) -> bool:
    last = Path(name.stem).suffix if name.suffix.lower() in _PACKED else name.suffix
    is_hidden = any(part.startswith((".", "~")) for part in name.parts)
    return last.lower() in _EXPORTS and not is_hidden and not name.stem.lower().startswith("readme")


def _patterns(company: Company) -> list[str]:
    patterns: list[str] = []
    for file in sorted(company.sources_dir.glob("*.yml")):
        with suppress(ConfigurationError):
            document: Any = load_yaml(file)
            if isinstance(document, dict) and not document.get("location"):
                entries = document.get("files")
                for entry in entries if isinstance(entries, list) else []:
                    named = entry.get("path") if isinstance(entry, dict) else None
                    patterns += [str(one) for one in (named if isinstance(named, list) else [named]) if one]
    return patterns


def _glob(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except (ValueError, NotImplementedError):  # an absolute path, or one with '..': the run says so
        return []


def _folders(company: Company) -> list[str]:
    """Folders of the data directory that a source with a connector reads."""
    named: list[Any] = []
    with suppress(ConfigurationError):
        named = [company.source(name).get("folder") for name in company.configured_sources() if name in API_SOURCES]
    return [str(one) for one in named if one and "://" not in str(one)]
