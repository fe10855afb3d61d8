"""Telephone numbers as they are compared. The same rules stand in ``dbt_project/macros/phones.sql``, for the models; tests hold the two together."""

from __future__ import annotations

import re

LENGTH = 10  # digits of a number that are compared, from its end
SHORTEST, LONGEST = 7, 17  # the longest with its international prefix
# What callers who hide their number have instead of one, and what people type who have none.
NOBODYS = frozenset(
    {
        "266696687", "86282452253", "7378742833", "2562533", "8656696", "7748283",
        "1234567890", "123456789", "12345678", "1234567", "9876543210", "987654321", "7654321", "1231231234", "5551234567",
    }
)  # fmt: skip
_COUNTRY = re.compile(
    "(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|(?:2[1-689]|3[578]|42|5[09]|6[789]|8[058]|9[67])[0-9]|99[2-8])0?"
)
_ROUNDED = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?e[+-]?[0-9]+")
_FLOAT = re.compile(r"^ *(\+?[0-9]{7,})\.0+ *\Z")  # a number that a program took for one
_DASHES = re.compile("[\u2010-\u2015\u00a0\u202f]")
_AREA = re.compile(r"^([^0-9/,;]*(?:[0-9][^0-9/,;a-z]*){1,6})/")


def phone_keys(text: str) -> list[str]:
    """The numbers that ``text``, a field for a telephone number, holds, as they are compared; none where it names nobody."""
    plain = _FLOAT.sub(r"\1", text.lower())
    if _ROUNDED.fullmatch(plain.strip(" ")):
        return []
    plain = _DASHES.sub("-", re.sub("@.*", "", plain)).replace("+", "|+")
    plain = _AREA.sub(r"\1 ", _AREA.sub(r"\1 ", plain))
    keys = []
    for part in re.split("[^0-9+() .-]+", plain):
        digits = re.sub("[^0-9]", "", part)
        number = national(digits, has_plus="+" in part)
        if len(number) >= SHORTEST and not names_nobody(digits, number):
            keys.append(number[-LENGTH:])
    return keys


def national(digits: str, *, has_plus: bool = False) -> str:
    """``digits`` without international prefix, country code and leading zero; empty where they are too many for a number."""
    if len(digits) > LONGEST:
        return ""
    if has_plus or (digits.startswith("00") and len(digits) >= 11):
        return _without_country(digits.lstrip("0"))
    if digits.startswith("011") and len(digits) >= 12:
        return _without_country(digits[3:])
    if digits.startswith("0"):
        return digits.lstrip("0")
    if 12 <= len(digits) <= 15 or (len(digits) == 11 and re.match("[2-9][0-9][1-8]", digits)):
        return _without_country(digits)
    return digits if len(digits) <= 11 else ""


def _without_country(digits: str) -> str:
    found = _COUNTRY.match(digits)
    return digits[found.end() :] if found else digits


def names_nobody(digits: str, number: str) -> bool:
    """Whether a number is one that hides its caller, or that people type who have none."""
    return bool({digits, number[-LENGTH:]} & NOBODYS) or number.endswith("5551212") or len(set(number[-LENGTH:])) == 1
