"""What goes wrong with real nodes, done to them one at a time, and what they run in the end."""

from __future__ import annotations

from beds.nodes.bed import NodesBed
from beds.nodes.packages import AGENT, LIBS

LIBRARY = "/usr/lib/escalator-test"
OPERATIONS = "/var/lib/escalator/operations"
POSTINST = "postinst: slow work begins"
IN_POSTINST = f"grep -rqs '{POSTINST}' {OPERATIONS}"
"""Succeeds on a node whose installer has come to the postinst of 2.5.0."""
INSTALLED = f"ls {OPERATIONS}/*upgrade*/rc 2>/dev/null | grep -q ."
"""Succeeds on a node whose installer has ended."""


def until(bed: NodesBed, node: str, command: str) -> None:
    """Return when the command succeeds on the node, looked at past its network; half a minute at most."""
    bed.exec(node, "timeout", "60", "sh", "-c", f"until {command}; do sleep 0.05; done")


def on(bed: NodesBed, node: str) -> str:
    """Version of the agent, by dpkg; the daemon has to say the same, and dpkg that nothing is half done."""
    assert bed.exec(node, "dpkg", "--audit") == "", node
    version = bed.installed(node, AGENT)
    assert bed.installed(node, LIBS) == version
    ask = "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8770/version'))['version'])"
    assert bed.exec(node, "python3", "-c", ask).strip() == version
    return str(version)


def fill(bed: NodesBed, node: str) -> None:
    """No byte is left where the packages' files are."""
    keep = f"cp -a {LIBRARY} /root/kept && mount -t tmpfs -o size=64k full {LIBRARY} && cp -a /root/kept/. {LIBRARY}"
    bed.exec(node, "sh", "-c", f"{keep}; dd if=/dev/zero of={LIBRARY}/filler 2>/dev/null; true")


def empty(bed: NodesBed, node: str) -> None:
    """There is room again."""
    bed.exec(node, "umount", "--lazy", LIBRARY)


def bar(bed: NodesBed, node: str, port: int, verb: str = "add") -> None:
    """The repository does not answer the node; with `del` it does again."""
    barred = ("to", bed.manager_address, "ipproto", "6", "dport", str(port), "prohibit")
    bed.exec(node, "ip", "rule", verb, *barred)


def strange(bed: NodesBed, node: str) -> None:
    """The node has another host key than the one that is known."""
    bed.kill(node)
    bed.new_host_key(node, known=False)
    bed.start(node)
    bed.wait(node)


def trust(bed: NodesBed, node: str) -> None:
    """A person has looked at the node's console and writes down the key that it has now."""
    known = bed.known_hosts.read_text()
    old = next(line for line in known.splitlines() if line.startswith(f"{node},"))
    key = " ".join(bed.exec(node, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
    bed.known_hosts.write_text(known.replace(old, f"{old.split()[0]} {key}"))
