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


def test_threads_that_share_the_cores_start_no_others(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    for cores, shared in ((1, False), (2, False), (4, True)):
        monkeypatch.setattr(threads, "cores", lambda cores=cores: cores)
        with threads.cores_shared(2):
            assert threads.enabled() == shared
        assert threads.enabled() == (cores > 1)


def test_a_thread_works_only_where_it_may(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    for value, elsewhere in (("1", False), ("", True)):
        monkeypatch.setenv(threads.VARIABLE, value)
        (at_work,) = threads.prefetched(threading.current_thread() for _ in range(1))
        assert (at_work is not threading.main_thread()) == elsewhere


def test_an_interruption_of_the_consumer_stops_the_thread(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)

    def interrupted():
        for item in threads.prefetched(range(100)):
            if item == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
