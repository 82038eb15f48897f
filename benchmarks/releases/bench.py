"""How fast bundles are built, signed, verified and imported, against how fast this machine hashes.

    python benchmarks/releases/bench.py                  # 500 MB, medians of five rounds
    python benchmarks/releases/bench.py --megabytes 50

Every round measures SHA-256 over bytes in memory and the plain writing of as many to disk, apart and at once, then building,
signing, verifying, the import as the server does it (with the pieces as they come from a socket), and the import over HTTP to a
server process,
each as a share of the same round's hashing: other work on the machine disturbs both. Files that are read were written just
before, so they are in memory; all that is written is on disk when its time ends. A file of the same size is written and removed
before each step, so that the step finds pages that are in use already: those that a virtual machine uses for the first time
cost several times what the step does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from escalator.cli.client import connect
from escalator.cli.release import send_bundle
from escalator.clocks import SystemClock
from escalator.storage.memory import memory_store
from escalator.system_support.releases.bundle import Opened
from escalator.system_support.releases.bundle_file import build_bundle, pieces, read_bundle
from escalator.system_support.releases.bundle_signing import sign_bundle
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.releases.trust import Trust

FILES = 20
PIECE = 2**20
SIGNERS = [CryptoSigner.generate_ed25519() for _ in range(2)]
TRUST = Trust({f"signer-{n}": signer.public_key for n, signer in enumerate(SIGNERS)}, 2)
RELEASE = """
apiVersion: escalator/v1
kind: Release
metadata: {name: bench}
spec: {version: 1.0.0, type: command}
"""


def folder(where: Path, megabytes: int) -> Path:
    """A release of random bytes."""
    where.mkdir()
    (where / "release.yaml").write_text(RELEASE)
    for number in range(FILES):
        (where / f"file-{number}").write_bytes(os.urandom(megabytes * 10**6 // FILES))
    return where


def hashing(megabytes: int) -> None:
    """The yardstick: SHA-256 of as many bytes, without reading or writing any."""
    piece, state = os.urandom(PIECE), hashlib.sha256()
    for _ in range(megabytes * 10**6 // PIECE):
        state.update(piece)


def writing(megabytes: int, file: Path) -> None:
    """The other yardstick: as many bytes written to disk and nothing else."""
    piece = os.urandom(PIECE)
    with file.open("wb", buffering=0) as out:
        for _ in range(megabytes * 10**6 // PIECE):
            out.write(piece)
        os.fsync(out.fileno())


def both(megabytes: int, file: Path) -> None:
    """The third one: both at once and of nothing that has to be read, which no import can be quicker than."""
    beside = threading.Thread(target=hashing, args=(megabytes,))
    beside.start()
    writing(megabytes, file)
    beside.join()


def touch_pages(megabytes: int, file: Path) -> None:
    """Leave as many pages of memory behind as the next step will write."""
    writing(megabytes, file)
    file.unlink()


def started(state: Path) -> ReleaseStore:
    """What the server has when it has started."""
    store = ReleaseStore(state, memory_store().releases, SystemClock(), TRUST)
    asyncio.run(store.refresh())
    return store


async def stored(file: Path, store: ReleaseStore) -> None:
    """The import as the server does it."""
    async with store.receive() as incoming:
        with file.open("rb", buffering=0) as opened:
            for piece in pieces(opened):
                await asyncio.to_thread(incoming.feed, piece)
        await store.import_bundle(incoming)


def require(opened: Opened) -> None:
    TRUST.require(opened.envelope)


class Meter:
    """Seconds and CPU seconds of each step; what earlier work left to be written is not part of them."""

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}

    def measure(self, name: str, work: Callable[[], object], server: int | None = None) -> None:
        """Do it. CPU is this process's, and the server's of that number."""
        gc.collect()
        os.sync()
        cpu, begin = cpu_of(server), time.perf_counter()
        work()
        self.wall_s[name], self.cpu_s[name] = time.perf_counter() - begin, cpu_of(server) - cpu


def cpu_of(server: int | None) -> float:
    """CPU seconds so far."""
    if server is None:
        return time.process_time()
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def round_of(megabytes: int) -> Meter:
    """Every step once."""
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder_name:
        where = Path(folder_name)
        source, file = folder(where / "release", megabytes), where / "bench.escrel"
        store = started(where / "state")
        steps = {
            "sha256": lambda: hashing(megabytes),
            "write": lambda: writing(megabytes, where / "plain"),
            "sha256 and write": lambda: both(megabytes, where / "both"),
            "build": lambda: build_bundle(source, file),
            "sign once": lambda: sign_bundle(file, SIGNERS[0]),
            "sign": lambda: sign_bundle(file, SIGNERS[1]),
            "verify": lambda: read_bundle(file, require),
            "import": lambda: asyncio.run(stored(file, store)),
        }
        for name, step in steps.items():
            touch_pages(megabytes, where / "pages")
            meter.measure(name, step)
        touch_pages(megabytes, where / "pages")
        over_http(meter, file, where / "served")
    return meter


def over_http(meter: Meter, file: Path, state: Path) -> None:
    """`release import` with the server as a process of its own; the start of both is not counted."""
    environment = {**os.environ, "ESCALATOR_STATE_DIR": str(state), "ESCALATOR_CLOUD__DRIVER": "simulated"}
    environment |= {f"ESCALATOR_{name}__PORT": "0" for name in ("SERVER", "REPOSITORY", "VNFM")}
    command = [sys.executable, "-m", "escalator.main", "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            url = ""
            for line in server.stderr or ():
                said = json.loads(line)
                if said.get("listener") == "server":
                    url = f"http://127.0.0.1:{said['port']}"
                if said["event"] == "server.ready":
                    break
            with connect({"ESCALATOR_URL": url, "ESCALATOR_TOKEN_FILE": str(state / "token")}) as client:
                client.get("/v1/releases")
                meter.measure("import_http", lambda: send_bundle(client, file), server.pid)
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    rounds = []
    for _ in range(arguments.repeat):
        rounds.append(round_of(arguments.megabytes))
        print(
            json.dumps({key: round(arguments.megabytes / s) for key, s in rounds[-1].wall_s.items()}), file=sys.stderr, flush=True
        )
    print(
        json.dumps(
            {
                key: {
                    "mb_per_s": round(statistics.median(arguments.megabytes / one.wall_s[key] for one in rounds)),
                    "share_of_sha256": round(statistics.median(one.wall_s["sha256"] / one.wall_s[key] for one in rounds), 2),
                    "cpu_of_sha256": round(statistics.median(one.cpu_s[key] / one.cpu_s["sha256"] for one in rounds), 2),
                }
                for key in rounds[0].wall_s
            }
            | {"peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
        )
    )


if __name__ == "__main__":
    main()
