"""Test packages, good and bad, as release folders: `escalator-test-agent` and `escalator-test-libs`.

| version | what is special |
|---|---|
| 1.0.0 | the old one |
| 2.0.0 | good; moves its state to schema 2, which 1.0.0 refuses; wants a reboot |
| 2.1.0 | its postinst fails |
| 2.2.0 | the daemon ends at its start |
| 2.3.0 | the daemon runs and reports that it is not healthy |
| 2.4.0 | healthy, but the node then offers half of its test devices |
| 2.5.0 | good; its postinst takes 3 s |
| 2.6.0 | its postinst never ends |
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("1.0.0", "2.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0", "2.5.0", "2.6.0")
AGENT, LIBS = "escalator-test-agent", "escalator-test-libs"
STATE = "/var/lib/escalator-test-agent"
URL = "http://127.0.0.1:8770/"
HERE = Path(__file__).with_name("agent")


@dataclass(frozen=True)
class _Version:
    text: str

    @property
    def schema(self) -> int:
        return int(self.text[0])

    @property
    def fault(self) -> str:
        return {"2.2.0": "exit", "2.3.0": "unhealthy"}.get(self.text, "")

    @property
    def postinst(self) -> str:
        lines = {
            "2.0.0": "mkdir -p /run; echo restart > /run/reboot-required; echo escalator-test-agent >> /run/reboot-required.pkgs",
            "2.1.0": 'echo "postinst: simulated failure" >&2; exit 1',
            "2.5.0": 'echo "postinst: slow work begins"; sleep 3; echo "postinst: slow work ends"',
            "2.6.0": 'echo "postinst: slow work begins"; exec sleep 77777',
        }
        return (HERE / "postinst").read_text().replace("@SPECIAL@", lines.get(self.text, ":"))


def build(folder: Path, versions: tuple[str, ...] = VERSIONS) -> dict[str, Path]:
    """Make a release folder per version (`release.yaml` and its packages); returns them by version. Under a second."""
    return {text: _release(folder, _Version(text)) for text in versions}


def _release(folder: Path, version: _Version) -> Path:
    target = folder / f"nfvi-agent-{version.text}"
    target.mkdir(parents=True)
    trees = folder / "trees" / version.text
    _deb(_libs(trees / "libs", version), target)
    _deb(_agent(trees / "agent", version), target)
    document = {
        "apiVersion": "escalator/v1",
        "kind": "Release",
        "metadata": {"name": "nfvi-agent"},
        "spec": {
            "version": version.text,
            "type": "deb-set",
            "layers": {"agent": version.text},
            "impact": "reboot",
            "packages": [{"name": AGENT, "version": version.text}, {"name": LIBS, "version": version.text}],
            "reboot": "auto",
            "state_paths": [STATE],
            "daemon": {"url": f"{URL}version"},
            "health": [{"name": "agent", "url": URL}],
        },
    }
    (target / "release.yaml").write_text(json.dumps(document, indent=2) + "\n")
    return target


def _libs(tree: Path, version: _Version) -> Path:
    _write(tree / "usr/lib/escalator-test/estlib.py", f"VERSION = {version.text!r}\nSCHEMA = {version.schema}\n")
    _write(tree / "DEBIAN/control", _control(LIBS, version, ""))
    return tree


def _agent(tree: Path, version: _Version) -> Path:
    devices = 4 if version.text == "2.4.0" else 8
    files = {
        "usr/lib/escalator-test/agentd": (HERE / "agentd").read_text().replace("@FAULT@", version.fault),
        f"etc/init.d/{AGENT}": (HERE / "init").read_text(),
        f"etc/{AGENT}/agent.conf": f"[agent]\nport = 8770\nformat = {version.schema}\n",
        "etc/escalator/offers.d/escalator-test-agent.json": json.dumps({"test_device": devices}),
        f"lib/systemd/system/{AGENT}.service": (HERE / "service").read_text(),
        "DEBIAN/control": _control(AGENT, version, f"Depends: python3, {LIBS} (= {version.text})\n"),
        "DEBIAN/conffiles": f"/etc/{AGENT}/agent.conf\n/etc/init.d/{AGENT}\n",
        "DEBIAN/postinst": version.postinst,
        "DEBIAN/prerm": (HERE / "prerm").read_text(),
    }
    for path, text in files.items():
        _write(tree / path, text)
    for path in ("usr/lib/escalator-test/agentd", f"etc/init.d/{AGENT}", "DEBIAN/postinst", "DEBIAN/prerm"):
        (tree / path).chmod(0o755)
    return tree


def _control(name: str, version: _Version, more: str) -> str:
    return (
        f"Package: {name}\nVersion: {version.text}\nArchitecture: all\nMaintainer: Test <test@example.org>\n"
        f"Section: admin\nPriority: optional\n{more}Description: stand-in for a compute agent\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _deb(tree: Path, target: Path) -> None:
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(tree), str(target)], check=True, capture_output=True)
