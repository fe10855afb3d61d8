"""Content hashes: what must change them and what must not."""

from __future__ import annotations

import duckdb
import pytest

from quality.hashes import table_hash

ROWS = "(values (1, 'a', 1.5::double, true, date '2026-01-01', null::varchar), (2, 'b', null, false, null, 'x'), (2, 'b', null, false, null, 'x'))"
COLUMNS = "(id, name, share, flag, day, note)"


def _hash(con: duckdb.DuckDBPyConnection, query: str) -> tuple[str, int]:
    con.execute(f"create or replace table t as {query}")
    return table_hash(con, "t")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_order_of_rows_does_not_matter(con: duckdb.DuckDBPyConnection) -> None:
    forward = _hash(con, f"select * from {ROWS} as r{COLUMNS} order by id")
    assert forward == _hash(con, f"select * from {ROWS} as r{COLUMNS} order by id desc")
    assert forward[1] == 3


def test_a_repeated_row_counts(con: duckdb.DuckDBPyConnection) -> None:
    assert _hash(con, f"select * from {ROWS} as r{COLUMNS}") != _hash(
        con, f"select distinct * from {ROWS} as r{COLUMNS}"
    )
    # Two pairs of equal rows would cancel out in a sum by xor.
    assert _hash(con, "select 1 as a union all select 1") != _hash(con, "select 2 as a union all select 2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select null::varchar as a", "select '' as a"),
        ("select null::varchar as a", "select '~' as a"),
        ("select 1::integer as a", "select 1::bigint as a"),
        ("select 1::integer as a", "select '1' as a"),
        ("select 1.0::decimal(18, 2) as a", "select 1.0::double as a"),
        ("select 1 as a", "select 1 as b"),
        ("select 'ab' as a, 'c' as b", "select 'a' as a, 'bc' as b"),
        ("select '1:x' as a, null::varchar as b", "select '1' as a, ':x' as b"),
        ("select 1.5::double as a", "select 1.500001::double as a"),
        ("select timestamp '2026-01-01 00:00:00' as a", "select timestamp '2026-01-01 00:00:00.000001' as a"),
        ("select [1, 2] as a", "select [2, 1] as a"),
        ("select [null, 1] as a", "select [1] as a"),
        ("select 1 as a where false", "select 'x' as a where false"),
    ],
)
def test_different_content_differs(con: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    assert _hash(con, one) != _hash(con, other)


def test_last_bits_of_floating_sums_do_not_matter(con: duckdb.DuckDBPyConnection) -> None:
    assert _hash(con, "select 0.1::double + 0.2::double as a") == _hash(con, "select 0.3::double as a")
    assert _hash(con, "select 0.1::double + 0.2::double - 0.3::double as a") == _hash(con, "select 0.0::double as a")
    assert _hash(con, "select 1e9::double + 1e-5::double as a") == _hash(con, "select 1e9::double as a")
    assert _hash(con, "select 1e9::double + 0.01::double as a") != _hash(con, "select 1e9::double as a")
    assert _hash(con, "select -0.0::double as a") == _hash(con, "select 0.0::double as a")


def test_money_counts_to_the_cent(con: duckdb.DuckDBPyConnection) -> None:
    query = "select {0}::decimal(18, 2) as a"
    assert _hash(con, query.format("9999999999999999.98")) != _hash(con, query.format("9999999999999999.99"))


def test_every_kind_of_double_has_a_hash(con: duckdb.DuckDBPyConnection) -> None:
    query = "select unnest(['nan'::double, 'inf'::double, '-inf'::double, 0.0, null]) as a"
    assert _hash(con, query)[1] == 5
    assert (
        len({_hash(con, f"select {value}::double as a")[0] for value in ("'nan'", "'inf'", "'-inf'", "0", "null")}) == 5
    )


def test_the_hash_is_the_same_in_every_release(con: duckdb.DuckDBPyConnection) -> None:
    # A changed value here means that every published version looks changed after an upgrade.
    assert _hash(con, f"select * from {ROWS} as r{COLUMNS}") == ("a152f0b8d99fe4c1c9a9a3ad42a093f4", 3)
