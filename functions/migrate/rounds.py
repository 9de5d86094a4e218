"""A backfill's way through a table, in rounds: what is found in each segment is changed at a pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from functions.migrate.backfill import END, SEGMENTS, Page, Table, doubtful
from functions.migrate.clock import Clock
from functions.migrate.faults import ItemError
from functions.migrate.journal import Progress
from functions.migrate.migration import Backfill, Item
from functions.migrate.pacing import Pace
from functions.migrate.transience import passes

# So long a round may last until it is written down how far it got: much less than the lock's lease, so that nobody
# changes an item who may have been taken over.
ROUND_S = 5.0


class Rounds:
    """One invocation's way; `progress` is how far it got, and `touched` whether it may have changed an item."""

    def __init__(self, table: Table, backfill: Backfill, pace: Pace, clock: Clock, progress: Progress) -> None:
        self._table = table
        self._backfill = backfill
        self._pace = pace
        self._clock = clock
        self._segments = [_Segment(cursor) for cursor in progress.cursors or (None,) * SEGMENTS]
        self._before = progress if progress.of is not None else progress._replace(of=table.size())
        self._written = 0
        self._lock = Lock()
        self.touched = False

    @property
    def progress(self) -> Progress:
        """How far it got."""
        return self._before._replace(
            cursors=tuple([segment.cursor for segment in self._segments]),
            read=self._before.read + sum(segment.read for segment in self._segments),
            written=self._before.written + self._written,
        )

    def find(self) -> int:
        """Look for what is to be changed, where nothing more is known of; returns how much there is."""
        self._in_each(self._look)
        return sum(len(segment.items) for segment in self._segments)

    def change(self, most: int) -> None:
        """Change items that were found, so many at most, in a round's time.

        Raises:
            ItemError: one can't be changed; what was done before counts.
        """
        left, until_s = _Left(most), self._clock.monotonic_s() + ROUND_S
        errors: list[ItemError] = []

        def work(_: int, segment: _Segment) -> None:
            while segment.items and not errors and self._clock.monotonic_s() < until_s and left.take():
                try:
                    self._change(segment.items[0])
                except (Exception, SystemExit) as error:  # noqa: BLE001  # of the computation, too: raised with the key
                    errors.append(ItemError(self._table.key(segment.items[0]), error))
                    return
                segment.done(self._table.key)

        self._in_each(work)
        if errors:
            raise min(errors, key=passes)  # what doesn't pass by itself is said first

    def _look(self, number: int, segment: _Segment) -> None:
        if not segment.items and segment.cursor != END:
            segment.take(self._table.page(self._backfill, number, len(self._segments), segment.cursor))

    def _change(self, item: Item) -> None:
        try:
            written = self._table.change(self._backfill, item, self._pace.turn)
        except Exception as error:
            self.touched |= doubtful(error)
            raise
        with self._lock:
            self._written += written
            self.touched = True

    def _in_each(self, work: Callable[[int, _Segment], None]) -> None:
        with ThreadPoolExecutor(len(self._segments)) as pool:
            list(pool.map(work, range(len(self._segments)), self._segments))


class _Segment:
    """A part of the table: the items that were found and not changed yet, and the cursor behind what is done with."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.read = 0
        self.items: deque[Item] = deque()
        self._page = Page((), cursor, 0)
        self._counted = 0

    def take(self, page: Page) -> None:
        """Take a page that was found."""
        self._page, self._counted = page, 0
        self.items.extend(page.items)
        self._end_page()

    def done(self, key: Callable[[Item], Any]) -> None:
        """Leave the first item behind."""
        item = self.items.popleft()
        self.cursor = key(item)
        self.read += 1
        self._counted += 1
        self._end_page()

    def _end_page(self) -> None:
        if not self.items:
            self.cursor = self._page.cursor
            self.read += self._page.scanned - self._counted


class _Left:
    """So many may still be taken, by whichever thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()

    def take(self) -> bool:
        with self._lock:
            self._most -= 1
            return self._most >= 0
