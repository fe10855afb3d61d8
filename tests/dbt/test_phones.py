"""Telephone numbers as the models and the erasure compare them: the same rules, in SQL and in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.privacy.phones import phone_keys
from tests.dbt.project import run_dbt

NOBODY: list[str] = []
US, UK, FRANCE, BERLIN = ["3125550142"], ["2079460018"], ["612345678"], ["301234567"]
TWO = ["3125550143", "3125550144"]
WRITTEN = {
    **dict.fromkeys(
        [
            "(312) 555-0142", "312.555.0142", "13125550142", "+1 (312) 555-0142", "001 312 555 0142", "+001 312 555 0142", "011 1 312 555 0142",
            "(312) 555-0142 ext. 12", "312-555-0142x12", "312-555-0142 X 4455", "+13125550142;ext=12", "3125550142 #12", "312 555 0142 extension 7",
            "312-555-0142,,12", "tel:+1-312-555-0142", "sip:+13125550142@gateway.example.com", "Cell: 312-555-0142", "312\u2011555\u20110142",
            "312/555-0142", "312-555-0142 / 43", "3125550142.0", " +13125550142.00 ",
        ],
        US,
    ),
    **dict.fromkeys(
        [
            "312-555-0143 / 312-555-0144", "3125550143/3125550144", "312-555-0143, 312-555-0144", "312-555-0143; 312-555-0144",
            "312-555-0143 or 312-555-0144", "+13125550143+13125550144", "h 312-555-0143 c 312-555-0144", "312-555-0143 x 3 | (312) 555-0144",
            "312-555-0143\n312-555-0144", "312-555-0143 & 312-555-0144",
        ],
        TWO,
    ),
    **dict.fromkeys(
        ["020 7946 0018", "+44 20 7946 0018", "00 44 (0)20 7946 0018", "+44 (0)20 7946 0018", "442079460018", "011 44 20 7946 0018"], UK
    ),
    **dict.fromkeys(["06 12 34 56 78", "+33 6 12 34 56 78", "0033612345678", "33612345678", "+33 (0)6 12 34 56 78"], FRANCE),
    **dict.fromkeys(["030/1234567", "+49 30 1234567", "0049 (0)30 1234567", "+49/30/1234567"], BERLIN),
    **dict.fromkeys(
        [
            "5.55123E+09", "5,55E+09", "3.12555E9", "1E10", "anonymous", "Restricted", "PRIVATE", "unknown", "+266696687", "266696687", "+86282452253",
            "+7378742833", "17378742833", "+2562533", "000-000-0000", "555-555-5555", "+1 999 999 9999", "(111) 111-1111", "123-456-7890", "312-555-1212",
            "", "-", "n/a", "12345", "client:alice", "3125550143312555014431255501450",
        ],
        NOBODY,
    ),
    "+55 11 91234-5678": ["1912345678"],
    "(11) 91234-5678": ["1912345678"],
    "(31) 91234-5678": ["1912345678"],
    "8 (916) 123-45-67": ["9161234567"],
    "+7 916 123-45-67": ["9161234567"],
    "555-0142": ["5550142"],
    "312.555.0000": ["3125550000"],
}  # fmt: skip


@pytest.fixture(scope="module")
def keys_in_sql(bench: Path) -> Callable[[list[str]], list[list[str]]]:
    """What the models make of values."""
    inline = (
        "select {{ phone_keys('v') }} as keys from (select unnest($1) as v, generate_subscripts($1, 1) as i) order by i"
    )
    query = run_dbt(bench, "compile", "--inline", inline, "--no-populate-cache").results[0].node.compiled_code

    def keys(values: list[str]) -> list[list[str]]:
        with duckdb.connect() as con:
            return [row[0] for row in con.execute(query, [values]).fetchall()]

    return keys


def test_numbers_are_the_same_however_they_are_written() -> None:
    assert {written: phone_keys(written) for written in WRITTEN} == WRITTEN


def test_sql_and_python_read_numbers_alike(keys_in_sql: Callable[[list[str]], list[list[str]]]) -> None:
    assert dict(zip(WRITTEN, keys_in_sql(list(WRITTEN)), strict=True)) == WRITTEN
    part = st.sampled_from(
        [
            *"0123456789",
            *"0123456789",
            "+",
            "00",
            "011",
            "(0)",
            " ",
            "-",
            ".",
            "/",
            ",",
            ";",
            " or ",
            " x",
            "ext. ",
            "#",
            "e+",
            "@",
            ".0",
            "\u2011",
        ]
    )
    texts = st.lists(st.lists(part, max_size=24).map("".join), min_size=500, max_size=500)

    @settings(max_examples=8, deadline=None)
    @given(texts)
    def agree(values: list[str]) -> None:
        assert keys_in_sql(values) == [phone_keys(one) for one in values]

    agree()
