"""What people get wrong when they write YAML, told so that they can mend it. Reading the files belongs to ``yaml_file``.

YAML takes some signs otherwise than people do: ``#`` after a blank begins a comment, ``: `` parts a key from its value, tabs are no indentation.
Some of that is no error to YAML; it just says something else (``unintended``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_COMMENT = "in YAML a # after a blank begins a comment. If it belongs to the value, put the value into quotes"
_NO_BLANK = re.compile(r"^\s*(?:- )?([A-Za-z_][\w ]*):(?=[^\s:])")
_PLAIN_PAIR = re.compile(r"^\s*(?:- )?[^\s\"'{\[#][^\"'{\[#]*?: +[^\"'{\[&*!|>%@`#\s][^\"'#]*?: ")
_BEGINS = re.compile(r"(?:^\s*(?:- )?[\w ]+:|[{,\[:]) +([*&!%@`])")


def unintended(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """What YAML reads in ``lines`` but nobody can mean: the number of the line, and what is wrong."""
    block = -1  # the indentation of a block of text, in which all signs are text
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if block >= 0 and (not line.strip() or indent > block):
            continue
        block = -1
        value, comment = _parts(line)
        if re.search(r":\s*[|>][-+0-9]*\s*$", value):
            block = indent
        if comment is None:
            if re.match(r"\s*-[A-Za-z_]\w*:( |$)", line):
                yield number, "after the dash of a list comes a blank, as in `- path: deals.csv`"
            elif begins := re.search(r":\s+([&!])\S*\s*$", value):
                yield number, f"a value that begins with {begins.group(1)} stands in quotes"
        elif not comment.strip() and value.strip():
            yield number, f"`{value.strip()} #`: {_COMMENT}"
        elif value.rstrip().endswith(":") and not comment[:1].isspace() and not _is_block(lines, number, indent):
            yield number, f"`{line.strip()}` has no value: {_COMMENT}"


def explained(problem: str, line: int, begins: int | None, lines: Sequence[str]) -> tuple[int, str]:
    """The line, and words, for what a YAML reader calls ``problem`` in ``line``; ``begins``: where what it was reading begins."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    before = next((other for other in reversed(lines[: line - 1]) if other.strip()), "")
    for number in range(min(line, len(lines)), max(0, (begins or line) - 2), -1):
        if (cut := _cut_off(lines[number - 1])) is not None:
            return number, f"`{cut}`: {_COMMENT}"
    if "'\\t'" in problem or (text.startswith("\t") and "token" in problem):
        return line, "there is a tab: YAML is indented, and parted, with blanks"
    for number in (line, line - 1):
        other = lines[number - 1] if 0 < number <= len(lines) else ""
        if "\u00a0" in other:
            return number, "there is a no-break space, as word processors make it: type an ordinary blank"
        if glued := _NO_BLANK.match(other):
            return number, f"after the colon of `{glued.group(1)}:` comes a blank"
    if found := _BEGINS.search(text):
        return line, f"a value that begins with {found.group(1)} stands in quotes, such as '*.csv' or \"%Y-%m-%d\""
    if "duplicate key" in problem:
        name = re.search(r'duplicate key "([^"]*)"', problem)
        return (
            line,
            f"the key '{name.group(1) if name else ''}' stands here a second time; take one out, or make a list of the values",
        )
    if "unexpected end of stream" in problem:
        return begins or line, "a quote that begins here is never closed"
    if "escape character" in problem:
        return line, "within double quotes a \\ begins an escape; put the value into single quotes"
    if "mapping values are not allowed" in problem and text.count(": ") < 2:
        return (
            line,
            f"the indentation does not fit the line above (`{before.strip()[:40]}`): what belongs together is indented alike",
        )
    if "<block mapping start>" in problem or ("block end" in problem and "<block sequence start>" in problem):
        return (
            line,
            "the indentation does not fit the lines above: what belongs together is indented alike, with blanks",
        )
    if _PLAIN_PAIR.match(text) or "mapping values are not allowed" in problem or "got ':'" in problem:
        if begins and begins < line:
            return begins, "a { or [ that begins here is not closed before the next line begins"
        return line, "a value that holds ': ' stands in quotes, such as \"Lead: Id\""
    if "block end" in problem and "<scalar>" in problem:
        return (
            line,
            "a value that begins with a quote or a bracket goes on after it: put all of it into quotes, such as '\"Record Type\" = ''Deal'''",
        )
    if "expected ',' or" in problem:
        return (
            line,
            "there is a , or a closing bracket missing, or a value that holds , ' or \" does not stand in quotes",
        )
    return line, f"{problem}. Values with signs such as : # , * % @ [ {{ stand in quotes"


def _parts(line: str) -> tuple[str, str | None]:
    """A line without its comment, and the comment without its #; None where it has none."""
    quote = ""
    for place, sign in enumerate(line):
        before = line[place - 1] if place else " "
        if quote:
            quote = "" if sign == quote and not (quote == '"' and before == "\\") else quote
        elif sign in "\"'" and before in " \t[{,:":
            quote = sign
        elif sign == "#" and before in " \t":
            return line[:place], line[place + 1 :]
    return line, None


def _cut_off(line: str) -> str | None:
    """What stands in a line within brackets that a comment leaves open, up to the #; None where it leaves none."""
    value, comment = _parts(line)
    if comment is None or not value.strip():
        return None
    opened = sum(map(value.count, "{[")) - sum(map(value.count, "}]"))
    return f"{value.strip()} #" if opened > 0 and any(sign in comment for sign in "}]") else None


def _is_block(lines: Sequence[str], number: int, indent: int) -> bool:
    """Whether what follows line ``number`` belongs to its key."""
    following = next((line for line in lines[number:] if line.strip() and not line.lstrip().startswith("#")), "")
    begin = len(following) - len(following.lstrip())
    return begin > indent or (begin == indent and following.lstrip().startswith("- "))
