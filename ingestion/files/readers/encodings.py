"""Which encoding a text file has, told by its bytes. What its text means, and how it is read, does not belong here (``readers.tabular``).

UTF-8 and UTF-16 can be told for sure. Of the encodings with one byte a character only that of Western Windows (cp1252) is taken, and only where its
letters make words; any other has to be named in the mapping.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_WORD = re.compile(r"[^\W\d_]+")
# Characters of cp1252 that stand inside no word: where they do, a letter of another encoding was meant.
_ODD = "‚ƒ„†‡ˆ‰‹˜¢£¤¥¦¨¬¯¸¹"
_ODD_IN_WORD = re.compile(rf"[a-z][{_ODD}]|[{_ODD}²³¼½¾][a-z]|[A-Za-z][“”‘][A-Za-z]")
_LATE_CAPITAL = re.compile(r"[a-zß-öø-ÿ][À-ÖØ-ÞŠŒŽŸ]")
_FOREIGN_RUN = re.compile(r"[À-ÖØ-öø-ÿŠŒŽŸšœž]{4}")
_MOST_ODD = 0.1  # the share of words that may look wrong
_SAMPLE = 2_000  # lines with other letters than ASCII that are looked at
_SHOWN = 30


@dataclass(frozen=True)
class Detected:
    """``encoding``: None where it can't be told. ``line`` is the first that is no UTF-8, with a piece of it in ``sample``; None where all is."""

    encoding: str | None
    line: int | None = None
    sample: str = ""


def is_utf8(encoding: str) -> bool:
    """Whether ``encoding`` is a name of UTF-8, with or without a mark at the beginning."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def mark_of(path: Path) -> str | None:
    """The encoding that the mark at the beginning of a file names. OSError."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def detect(path: Path) -> Detected:
    """The encoding of a text file. OSError."""
    marked = mark_of(path)
    if marked is not None and marked != "utf-8":
        return Detected(marked)
    if wide := _wide(path):
        return Detected(wide)
    bad = None if _decodes(path) else _first_undecodable(path)
    if bad is None:
        return Detected("utf-8")
    return Detected("utf-8" if _is_mostly_utf8(path) else "cp1252" if _is_western(path) else None, *bad)


def _first_undecodable(path: Path) -> tuple[int, str] | None:
    """The first line with bytes that are no UTF-8, and a piece of the line; None where there is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if not line.isascii() or decoder.getstate()[0]:
                    decoder.decode(line)
            except UnicodeDecodeError as error:
                piece = line[max(0, error.start - _SHOWN // 2) :][:_SHOWN].strip()
                return number, piece.decode("ascii", errors="backslashreplace")
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return number, "the file ends within a character"
    return None


def wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32, told by the first bytes of a file: by its mark, or as every other byte of what is ASCII is zero. None: each ASCII character is one byte."""
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if marked is not None:
        return marked if marked != "utf-8" else None
    start = start[:4096]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd) * 4 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _decodes(path: Path) -> bool:
    """Whether all of a file is UTF-8: quicker than to look for the line that is not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _wide(path: Path) -> str | None:
    with path.open("rb") as file:
        return wide_encoding(file.read(4096))


def _is_mostly_utf8(path: Path) -> bool:
    """Whether a file with bytes that are no UTF-8 has more characters that are: then these bytes are damage, and no other encoding."""
    good = bad = 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                for character in line.decode("utf-8", errors="surrogateescape"):
                    good += character > "\x7f" and not "\udc80" <= character <= "\udcff"
                    bad += "\udc80" <= character <= "\udcff"
    return good >= bad


def _is_western(path: Path) -> bool:
    """Whether the file read as cp1252 makes words."""
    words = odd = lines = 0
    with path.open("rb") as file:
        for line in file:
            if line.isascii():
                continue
            try:
                text = line.decode("cp1252")
            except UnicodeDecodeError:
                return False
            lines += 1
            if lines <= _SAMPLE:
                found = [word for word in _WORD.findall(text) if not word.isascii()]
                wrong = sum(bool(_LATE_CAPITAL.search(word) or _FOREIGN_RUN.search(word)) for word in found)
                inside = len(_ODD_IN_WORD.findall(text))
                words += len(found) + inside
                odd += wrong + inside
    return odd <= _MOST_ODD * words
