"""Listings that are read by page number and move meanwhile: nothing slides over the edge of a page unseen."""

from __future__ import annotations

import pytest

from ingestion.http.steady import Seen, steadily
from salesgauge.errors import SourceError


def seen(*pages: tuple[list[int], object]) -> bool:
    one = Seen()
    for ids, total in pages:
        one.page(ids, total)
    return one.is_whole


@pytest.mark.parametrize(
    ("pages", "is_whole"),
    [
        ([([1, 2], 4), ([3, 4], 4)], True),
        ([([1, 2], 4), ([3, 4], 5), ([5], 5)], True),  # one more at the end
        ([([1, 2], 4), ([4], 3)], False),  # 1 was deleted, 3 slid to the first page
        ([([1, 2], 4), ([4, 1], 4)], False),  # 1 was changed and moved to the end, 3 slid to the first page
        ([([1, 2], 4), ([2, 3], 4), ([4], 4)], True),  # one more in front: an edge comes twice
        ([([1, 2], None), ([3], "many"), ([4], True)], True),  # nothing tells
        ([([], 0)], True),
        ([], True),
    ],
)
def test_what_the_totals_tell(pages: list[tuple[list[int], object]], is_whole: bool) -> None:
    assert seen(*pages) == is_whole


def test_it_is_read_again_and_in_the_end_refused() -> None:
    tries: list[int] = []

    def read(one: Seen, quiet_from: int) -> int:
        tries.append(len(tries))
        one.page([1], 1 if len(tries) >= quiet_from else 2)
        return len(tries)

    assert steadily(lambda one: read(one, 2), "callrail: GET calls") == 2
    tries.clear()
    with pytest.raises(SourceError, match="callrail: GET calls changed while its pages were read, 3 times"):
        steadily(lambda one: read(one, 9), "callrail: GET calls")
    assert len(tries) == 3
