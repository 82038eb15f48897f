"""A worker process that is made anew when it has died: the system ends it where memory is short, or a person does."""

from __future__ import annotations

import gc
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from escalator.worker_processes import end_with_parent

COLLECT_AFTER = 1_000_000
"""Objects made, beyond those that are gone again, before the worker process looks for cycles of references among them."""
P = ParamSpec("P")
V = TypeVar("V")


class RenewedWorker(Executor):
    """One worker process. What it was at work on when it died ends with BrokenExecutor; the next work gets a new process."""

    def __init__(self) -> None:
        self._pool = _pool()
        self._turn = threading.Lock()

    def submit(self, fn: Callable[P, V], /, *args: P.args, **kwargs: P.kwargs) -> Future[V]:
        """Have it run."""
        with self._turn:
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                self._pool.shutdown(wait=False)
                self._pool = _pool()
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's form
        """End the process."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Set up the worker process."""
    # A large inventory is a million objects and no cycle: reading it took four times as long with looks for cycles meanwhile.
    gc.set_threshold(COLLECT_AFTER)
    end_with_parent()
