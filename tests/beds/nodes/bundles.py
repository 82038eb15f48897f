"""Playbook bundles of the test packages: the same versions, installed by Ansible. `build` makes them from the release folders.

| what a bundle may be built with | what is special |
|---|---|
| (nothing) | roles upgrade, backup, rollback, verify |
| `roles` | only these |
| `upgrade` | the text of another upgrade playbook |
| `files` | more files, by name |
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from beds.nodes.packages import STATE, URL

KEPT = "/var/lib/test-backup.tar"
INSTALL = """
    - name: the packages of {version} are on the node
      ansible.builtin.copy: {{src: "debs/{version}/", dest: /var/cache/test-debs/{version}/}}
    - name: the packages of {version} are installed
      ansible.builtin.shell: "dpkg -i /var/cache/test-debs/{version}/*.deb </dev/null"
      environment: {{DEBIAN_FRONTEND: noninteractive}}
"""
ANSWERS = f"""
    - name: the agent answers
      ansible.builtin.command: python3 -c "import urllib.request as u; u.urlopen('{URL}version', timeout=5)"
      register: answer
      until: answer is succeeded
      retries: 20
      delay: 0.3
      changed_when: false
"""
HEAD = "- hosts: all\n  gather_facts: false\n  tasks:\n"
PLAYBOOKS: Mapping[str, str] = {
    "upgrade": HEAD + INSTALL + ANSWERS,
    "backup": HEAD
    + f"""
    - name: the state is kept
      ansible.builtin.command: "tar -C / -cf {KEPT} {STATE[1:]}"
      args: {{creates: {KEPT}}}
""",
    "rollback": HEAD
    + f"""
    - name: the agent is stopped
      ansible.builtin.command: service escalator-test-agent stop
      failed_when: false
    - name: the state is put back
      ansible.builtin.shell: "rm -rf {STATE} && tar -C / -xf {KEPT}"
    - name: the old packages are put back
      ansible.builtin.shell: "dpkg -i /var/cache/test-debs/{{{{ escalator_before['escalator-test-agent'] }}}}/*.deb </dev/null"
      environment: {{DEBIAN_FRONTEND: noninteractive}}
""",
    "verify": HEAD + ANSWERS,
    "facts": HEAD
    + """
    - name: the node is asked
      ansible.builtin.command: >-
        python3 -c "import json; print(json.dumps({'boot_id': open('/proc/sys/kernel/random/boot_id').read().strip()}))"
      register: asked
      changed_when: false
    - name: what it is, is told
      ansible.builtin.set_stats: {data: {escalator: "{{ asked.stdout | from_json }}"}}
""",
}
DEFAULT = ("upgrade", "backup", "rollback", "verify")


def bundle(
    folder: Path,
    packages: Path,
    version: str,
    *,
    name: str = "agent-by-playbook",
    roles: tuple[str, ...] = DEFAULT,
    files: Mapping[str, str] | None = None,
    **texts: str,
) -> Path:
    """Make a bundle of that version from the release folder `packages`; `texts` replaces playbooks by role."""
    target = folder / f"{name}-{version}"
    debs = target / "debs" / version
    debs.mkdir(parents=True)
    for deb in sorted(packages.glob("*.deb")):
        shutil.copy(deb, debs)
    for role in roles:
        text = texts.get(role, PLAYBOOKS[role])
        if role == "upgrade" and role not in texts:
            text = text.format(version=version)
        (target / f"{role}.yml").write_text(text)
    for path, text in (files or {}).items():
        (target / path).write_text(text)
    document = json.loads((packages / "release.yaml").read_text())
    document["metadata"]["name"] = name
    document["spec"] |= {"type": "ansible", "playbooks": {role: f"{role}.yml" for role in roles}}
    (target / "release.yaml").write_text(json.dumps(document, indent=2) + "\n")
    return target
