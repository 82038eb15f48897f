"""Runs one playbook on one node by ansible-runner, in words of ours. A program of its own, of the standard library alone.

`play.py FOLDER`: `FOLDER/run` is the private data folder, `FOLDER/run/play.json` says what to run. Lines go to standard
output, what the play tells about the node to `FOLDER/told.json`. The private data folder is gone at the end.

Exit codes: 0 done, 75 the node did not answer, 77 it refused us or is not the host that is known, 78 no task was for
it, else what ansible-playbook ended with.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

EXIT_UNREACHABLE, EXIT_REFUSED, EXIT_NO_TASK = 75, 77, 78
UNREACHABLE_HOSTS = 4
"""What ansible-playbook ends with when hosts did not answer, and nothing else went wrong."""
REFUSALS = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "Permission denied")
MAX_LINES = 5000
"""Lines of one run: a playbook of two thousand tasks. More are counted, and the last words always come."""
MAX_LINE = 300
GRACE_S = 10.0
"""How long what is left of a run may take to end by itself."""
PR_SET_CHILD_SUBREAPER = 36
MAX_TOLD_BYTES = 2**18


class Run:
    """What is known of a run so far, from its events."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.tasks = 0
        self.task = ""
        self.lines = 0
        self.cause = ""
        self.refused = False
        self.worked = False
        self.told: object = None
        self.errors: deque[str] = deque(maxlen=3)

    def say(self, text: str, *, last: bool = False) -> None:
        """One bounded line; beyond the bound only last words are said."""
        self.lines += 1
        if last or self.lines <= MAX_LINES:
            print(" ".join(text.split())[:MAX_LINE], flush=True)  # noqa: T201 - a program's own output
        elif self.lines == MAX_LINES + 1:
            print("more lines are left out", flush=True)  # noqa: T201 - as above

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of ansible-runner."""
        data = event.get("event_data") or {}
        match event.get("event"):
            case "playbook_on_task_start":
                self.tasks += 1
                self.task = str(data.get("name", ""))
                self.say(f"task {self.tasks}: {self.task}")
            case "runner_on_ok":
                self.worked = self.worked or data.get("host") == self.node
                word = "changed" if (data.get("res") or {}).get("changed") else "ok"
                self.say(f"task {self.tasks}: {word} after {data.get('duration') or 0.0:.1f} s")
            case "runner_on_skipped":
                self.worked = self.worked or data.get("host") == self.node
                self.say(f"task {self.tasks}: not needed")
            case "runner_on_failed" | "runner_on_unreachable" | "runner_on_async_failed":
                self._failed(event["event"], data)
            case "playbook_on_stats":
                self.told = (data.get("artifact_data") or {}).get("escalator")
            case "verbose" | "error" | "warning" | None:
                self.errors.extend(line for line in str(event.get("stdout", "")).splitlines() if "ERROR" in line)

    def _failed(self, kind: str, data: Mapping[str, Any]) -> None:
        """A task that failed. The last one that was not to be ignored is the cause."""
        self.worked = self.worked or data.get("host") == self.node
        why = reason(data.get("res") or {})
        if data.get("ignore_errors"):
            self.say(f"task {self.tasks}: failed and ignored: {why}")
            return
        self.refused = kind == "runner_on_unreachable" and any(words in why for words in REFUSALS)
        where = "" if data.get("host") == self.node else f" on {data.get('host')}"
        self.cause = f"{data.get('task', 'a task')!r}{where}: {why}"
        self.say(f"task {self.tasks}: failed: {why}")

    def end(self, code: int) -> int:
        """The last words, and our exit code."""
        if code == 0 and not self.worked:
            self.say(f"failed: no task of the playbook was for {self.node}; its plays are for other hosts", last=True)
            return EXIT_NO_TASK
        if code == 0:
            self.say(f"done: {self.tasks} task{'' if self.tasks == 1 else 's'}", last=True)
            return 0
        ended = f"ended with {code}" + (f" in {self.task!r}" if self.task else "")
        self.say(f"failed: {self.cause or ' / '.join(self.errors) or ended}", last=True)
        if self.refused:
            return EXIT_REFUSED
        return EXIT_UNREACHABLE if code == UNREACHABLE_HOSTS else code


def reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, bounded; nothing of it where the task says no_log."""
    if "censored" in result or result.get("_ansible_no_log"):
        return "its output is hidden (no_log)"
    for item in result.get("results") or ():
        if isinstance(item, dict) and item.get("failed"):
            return reason(item)
    said = [str(result.get(key) or "").strip() for key in ("msg", "stderr", "module_stderr")]
    return "; ".join(text[-200:] for text in said if text) or "it gave no reason"


def main(folder: Path) -> int:
    """Run it and clean up."""
    run = folder / "run"
    scratch = Path(tempfile.mkdtemp(prefix="esc-"))  # short: ssh's sockets live here
    # `timeout` tells us and ansible-runner alike; that ends the playbook, and we stay to tidy up.
    signal.signal(signal.SIGTERM, lambda *_: None)
    _adopt_orphans()
    try:
        spec = json.loads((run / "play.json").read_text())
        told = Run(spec["node"])
        code = _play(run, spec, scratch, told)
        if told.told is not None:
            text = json.dumps(told.told)
            (folder / "told.json").write_text(text if len(text) <= MAX_TOLD_BYTES else "null")
        return told.end(code)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)


def _play(run: Path, spec: Mapping[str, Any], scratch: Path, told: Run) -> int:
    argv = [spec["runner"], "run", str(run), "-j", "--omit-env-files", "-i", "run", "-p", spec["playbook"]]
    process = subprocess.Popen(  # noqa: S603 - argv of ours
        [*argv, "--limit", spec["node"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **_environment(scratch), **spec["environment"]},
    )
    for event in _events(process, told):
        told.take(event)
    code = process.wait()
    _end_orphans()
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Become the parent of what ansible-runner leaves behind: it may end before its playbook does."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    """End whatever is left of the run on this host, politely first."""
    end = time.monotonic() + GRACE_S
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < end else signal.SIGKILL)
        time.sleep(0.1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _children() -> list[int]:
    """Processes whose parent we are, with those that ended and are not waited for yet."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended while we looked
        if parent == os.getpid():
            found.append(int(stat.parent.name))
    return found


def _events(process: subprocess.Popen[bytes], told: Run) -> Iterator[Mapping[str, Any]]:
    for line in process.stdout or ():
        try:
            event = json.loads(line)
        except ValueError:
            text = line.decode(errors="replace").strip()
            if text and not text.startswith("[WARNING]"):
                told.errors.append(text[:MAX_LINE])
            continue
        if isinstance(event, dict):
            yield event


def _environment(scratch: Path) -> dict[str, str]:
    """Ansible's configuration that no bundle's own ansible.cfg may change."""
    return {
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_FORCE_COLOR": "False",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NO_TARGET_SYSLOG": "True",  # arguments of modules would be in the nodes' logs
        "ANSIBLE_LOG_PATH": os.devnull,
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False",
        "ANSIBLE_HOME": str(scratch),
        "ANSIBLE_LOCAL_TEMP": str(scratch / "tmp"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(scratch / "cp"),
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=10s",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "TMPDIR": str(scratch),
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
