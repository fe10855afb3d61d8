"""Near names for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'a' or 'b'?`` for the known names near ``name``; else the list of the known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.55)
    near += [other for other in names if len(name) > 2 and name.lower() in other and other not in near][: 3 - len(near)]
    if near:
        return "; did you mean " + " or ".join(repr(other) for other in near) + "?"
    return f"; there are: {', '.join(names)}"
