"""What the manager pays for the nodes themselves: CPU and memory per node while many are upgraded at once.

    python benchmarks/system_support/bench.py                          # packages on 50 nodes at once, three rounds
    python benchmarks/system_support/bench.py --driver ansible --nodes 12 --repeat 1

Nodes are real: network namespaces with sshd and dpkg of their own, see tests/beds/nodes; it needs root. The manager is a process
of its own, which serves the packages, too. Its CPU and memory are counted from the moment at which one node has been through, so
that what is loaded once is not part of them. Playbooks are processes beside it and are counted by themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from beds.nodes.bed import NodesBed  # noqa: E402 - found by the path above
from beds.nodes.packages import build  # noqa: E402 - as above

MANAGER = Path(__file__).with_name("manager.py")
VERSIONS = ("1.0.0", "2.0.0")


def round_of(folder: Path, driver: str, count: int) -> dict[str, float]:
    """Fresh nodes, one beforehand and then all others at once."""
    releases = build(folder / "releases", VERSIONS)
    with NodesBed(folder / "bed") as bed:
        names = [f"bench-{number:03}" for number in range(count + 1)]
        bed.add_many(names)
        for name in names:
            bed.install(name, releases["1.0.0"])
        told = {
            "driver": driver,
            "first": names[0],
            "nodes": names[1:],
            "address": bed.manager_address,
            "key": str(bed.key),
            "known_hosts": str(bed.known_hosts),
            "addresses": bed.addresses(),
            "releases": {version: str(path) for version, path in releases.items()},
            "state": str(folder / "state"),
        }
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))}
        argv = [sys.executable, str(MANAGER)]
        ran = subprocess.run(argv, input=json.dumps(told), stdout=subprocess.PIPE, text=True, env=environment, check=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--driver", choices=("packages", "ansible"), default="packages")
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    rounds = []
    for _ in range(arguments.repeat):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            rounds.append(round_of(Path(name), arguments.driver, arguments.nodes))
        print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    print(json.dumps({key: round(statistics.median(one[key] for one in rounds), 4) for key in rounds[0]}))


if __name__ == "__main__":
    main()
