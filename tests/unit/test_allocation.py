"""The C library's heaps: one for all threads once it is told so."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from escalator.allocation import share_one_heap
if sys.argv[1] == "one":
    assert share_one_heap()
together = threading.Barrier(4)
def work():
    together.wait()
    kept.append([bytes(1000) for _ in range(1000)])
kept = []
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = libc.fdopen(1, b"w")
libc.malloc_info(0, ctypes.c_void_p(out))
libc.fflush(ctypes.c_void_p(out))
"""
HOLES = """
from escalator.allocation import give_back
def pages():
    return int(open("/proc/self/statm").read().split()[1])
kept = [bytearray(100_000) for _ in range(500)]
pin = bytearray(100_000)
del kept
before = pages()
assert give_back()
print(before, pages())
"""
"""A large hole below something that is still in use: nothing goes back by itself. Prints resident pages before and after."""
glibc = pytest.mark.skipif(not hasattr(__import__("ctypes").CDLL(None), "malloc_info"), reason="another C library than glibc")


def heaps(how: str) -> int:
    told = subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True).stdout
    return len(re.findall(r"<heap nr=", told))


@glibc
def test_threads_share_one_heap_when_told_so() -> None:
    assert heaps("one") == 1
    assert heaps("default") > 1


@glibc
def test_what_is_not_used_goes_back_to_the_system() -> None:
    before, after = map(
        int, subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True).stdout.split()
    )
    assert before - after > 30 * 256


def test_cycles_are_looked_for_less_often_and_still_found() -> None:
    program = (
        "import gc; from escalator.allocation import look_less_for_cycles; before = gc.get_threshold(); look_less_for_cycles()\n"
        "found = []; gc.callbacks.append(lambda phase, info: found.append(info['collected']))\n"
        "for _ in range(20_000):\n    cycle = []\n    cycle.append(cycle)\n"
        "print(before[0], gc.get_threshold()[0], sum(found))"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    before, after, found = map(int, told.split())
    assert after > before
    assert found > 10_000
