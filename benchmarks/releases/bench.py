"""How fast bundles are built, signed, verified and imported, against how fast this machine hashes.

    python benchmarks/releases/bench.py                  # 500 MB, medians of five rounds
    python benchmarks/releases/bench.py --megabytes 50

Every round measures SHA-256 over bytes in memory, then building, signing, verifying, the import as the server does it (with the
pieces as they come from a socket), and the import over HTTP to a server process, each as a share of the same round's hashing:
other work on the machine disturbs both. Files that are read were written just before, so they are in memory; all that is
written is on disk when its time ends.
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
import time
from collections.abc import Callable
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from escalator.clocks import SystemClock
from escalator.storage.memory import memory_store
from escalator.system_support.releases.bundle import Opened
from escalator.system_support.releases.bundle_file import build_bundle, read_bundle, sign_bundle
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


async def stored(file: Path, state: Path) -> None:
    """The import as the server does it."""
    store = ReleaseStore(state, memory_store().releases, SystemClock(), TRUST)
    async with store.receive() as incoming:
        with file.open("rb", buffering=0) as opened:
            while piece := opened.read(PIECE):
                await asyncio.to_thread(incoming.feed, piece)
        await store.import_bundle(incoming)


def require(opened: Opened) -> None:
    TRUST.require(opened.envelope)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes; what earlier work left to be written is not part of it."""
    gc.collect()
    os.sync()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def round_of(megabytes: int) -> dict[str, float]:
    """Megabytes a second of each."""
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        source, file = folder(where / "release", megabytes), where / "bench.escrel"
        seconds = {"sha256": timed(lambda: hashing(megabytes))}
        seconds["build"] = timed(lambda: build_bundle(source, file))
        for signer in SIGNERS:
            seconds["sign"] = timed(lambda signer=signer: sign_bundle(file, signer))
        seconds["verify"] = timed(lambda: read_bundle(file, require))
        seconds["import"] = timed(lambda: asyncio.run(stored(file, where / "state")))
        seconds["import_http"] = over_http(file, where / "served")
        return {key: megabytes / value for key, value in seconds.items()}


def over_http(file: Path, state: Path) -> float:
    """Seconds of `release import` with the server as a process of its own; the start of both is not counted."""
    from escalator.cli.client import connect  # noqa: PLC0415 - for this alone
    from escalator.cli.release import _send_bundle  # noqa: PLC0415 - what the command does

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
                return timed(lambda: _send_bundle(client, file))
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
        print(json.dumps({key: round(value) for key, value in rounds[-1].items()}), file=sys.stderr)
    speeds = {key: round(statistics.median(one[key] for one in rounds)) for key in rounds[0]}
    shares = {key: round(statistics.median(one[key] / one["sha256"] for one in rounds), 2) for key in rounds[0]}
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({"mb_per_s": speeds, "share_of_sha256": shares, "peak_rss_mb": peak_mb}))


if __name__ == "__main__":
    main()
