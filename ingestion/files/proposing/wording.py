"""How names, texts and counts are written in a proposed mapping. What is proposed does not belong here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from salesgauge.yaml_file import as_yaml

MOST_WORDS = 60


def path_text(path: str) -> str:
    """A path as YAML, without quotes where it needs none."""
    return path if re.fullmatch(r"\w[\w./*-]*", path) else as_yaml(path)


def quoted_text(text: str) -> str:
    """A text as YAML in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def samples(texts: Sequence[str]) -> str:
    """Values of a file in single quotes, cut short."""
    return ", ".join(f"'{' '.join(text.split())[:30]}'" for text in texts)


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first ``most`` names, and how many more there are."""
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def rows_text(count: int) -> str:
    """So many rows, in words."""
    return f"{count:,} row{'s' * (count != 1)}"
