"""Batches side by side: on a processor two at once, one alone in the caller's thread."""

from __future__ import annotations

import threading

import pytest
import torch

from aeplug.jobs.workers import MAX_WORKERS, WorkerPool

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_tasks_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    with WorkerPool(CPU) as pool:
        for _ in range(2):  # each waits for the other: one after the other would break the barrier
            pool.compute(lambda: [meeting.wait()], alone=False)
        pool.finish()
    assert not meeting.broken


def test_one_alone_has_the_callers_thread_and_all_of_torchs() -> None:
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((threading.get_ident(), torch.get_num_threads()))

    with WorkerPool(CPU) as pool:
        pool.compute(look, alone=True)
        pool.compute(look, alone=False)
        pool.finish()
    assert seen[0] == (threading.get_ident(), 4)
    assert seen[1][0] != threading.get_ident()
    assert seen[1][1] == max(1, 4 // MAX_WORKERS)


def test_no_more_at_once_than_there_are_lanes() -> None:
    now, most, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    def task() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(0.05)
        with lock:
            now -= 1

    with WorkerPool(CPU) as pool:
        for _ in range(3 * pool.count):
            pool.compute(task, alone=False)
        pool.finish()
    assert 1 < most <= pool.count


def test_one_worker_computes_in_place() -> None:
    torch.set_num_threads(1)
    with WorkerPool(CPU) as pool:
        where: list[int] = []
        pool.compute(lambda: where.append(threading.get_ident()), alone=False)
        assert where == [threading.get_ident()]
        assert not pool.full


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    def broken() -> None:
        raise ZeroDivisionError("in a worker")

    pool = WorkerPool(CPU)
    pool.compute(broken, alone=False)
    with pytest.raises(ZeroDivisionError, match="in a worker"):
        pool.finish()
