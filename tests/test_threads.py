"""Threads: the same items in the same order, errors where they belong, and no thread left behind."""

from __future__ import annotations

import threading

import pytest

from refmaster import threads


@pytest.fixture(params=["1", ""])
def either_way(request, monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, request.param)
    monkeypatch.setattr(threads, "cores", lambda: 2)


@pytest.fixture(autouse=True)
def no_thread_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def failing(after):
    yield from range(after)
    raise ValueError("broken")


@pytest.mark.usefixtures("either_way")
class TestPrefetched:
    @pytest.mark.parametrize("count", [0, 1, 50])
    def test_keeps_items_and_their_order(self, count):
        assert list(threads.prefetched(iter(range(count)))) == list(range(count))

    def test_an_error_comes_after_the_items_before_it(self):
        items = threads.prefetched(failing(7))
        assert [next(items) for _ in range(7)] == list(range(7))
        with pytest.raises(ValueError, match="broken"):
            next(items)

    def test_a_consumer_that_stops_closes_the_whole_chain(self):
        closed = []

        def endless():
            try:
                while True:
                    yield 1
            finally:
                closed.append(True)

        chain = threads.prefetched(item + 1 for item in threads.prefetched(endless()))
        assert next(chain) == 2
        chain.close()
        assert closed == [True]


@pytest.mark.usefixtures("either_way")
class TestFeed:
    def test_both_take_everything_in_order(self):
        one, other = [], []
        threads.feed(range(100), one.append, other.append)
        assert one == other == list(range(100))

    def test_errors_of_each_part_are_raised(self):
        def refuse(item):
            if item == 3:
                raise KeyError(item)

        for broken in ((refuse, id), (id, refuse)):
            with pytest.raises(KeyError):
                threads.feed(range(100), *broken)
        with pytest.raises(ValueError, match="broken"):
            threads.feed(failing(5), id, id)

    def test_an_interruption_stops_the_other(self):
        def interrupt(item):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            threads.feed(range(100), interrupt, id)


def test_threads_that_share_the_cores_start_no_others(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    for cores, shared in ((1, False), (2, False), (4, True)):
        monkeypatch.setattr(threads, "cores", lambda cores=cores: cores)
        with threads.cores_shared(2):
            assert threads.enabled() == shared
        assert threads.enabled() == (cores > 1)


def test_a_thread_works_only_where_it_may(monkeypatch):
    at_work = []
    monkeypatch.setattr(threads, "cores", lambda: 2)
    for value, elsewhere in (("1", False), ("", True)):
        monkeypatch.setenv(threads.VARIABLE, value)
        threads.feed([0], id, lambda _: at_work.append(threading.current_thread()))
        assert (at_work.pop() is not threading.main_thread()) == elsewhere
