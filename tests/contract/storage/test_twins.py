"""The twin in memory answers as the database does, whatever is asked in whatever order.

Examples are not shrunk: each opens a database of its own, and a failing one names the first call that differs.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contract.storage.samples import backup, campaign, event, impact, notice, plan, restoration, slot, task
from escalator.model.alarm import Alarm
from escalator.model.backup import BackupState, RestoreState
from escalator.model.errors import EscalatorError
from escalator.model.notice import NoticeState, Reply, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState, TaskState
from escalator.model.subscription import Subscription
from escalator.storage.memory import memory_store
from escalator.storage.opening import FILE, open_sqlite
from escalator.storage.port import Store

Call = tuple[str, str, tuple[Any, ...], Mapping[str, Any]]
"""Part, method, arguments."""


def two_at_most(rows: Sequence[object]) -> str | None:
    return None if len(rows) < 2 else f"{len(rows)}"


NAMES = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["i", "j", "k", "l"])
TIMES = st.sampled_from([0.0, 1.0, 2.0])
NUMBERS = st.integers(1, 2)
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3), lambda v: st.lists(v, max_size=2))
EVENTS = st.lists(st.builds(event, st.sampled_from(["x", "y"]), campaign=NAMES, node=NAMES, message=st.just("å")), max_size=2)
CAMPAIGN_STATES = st.sampled_from([CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.COMPLETED])
NOTICE_STATES = st.sampled_from(NoticeState)
TASKS = st.builds(task, NAMES, campaign=NAMES, attempt=NUMBERS, wave=NUMBERS, state=st.sampled_from(TaskState))
NOTICES = st.builds(notice, NAMES, task=NAMES, state=NOTICE_STATES, next_attempt_at=TIMES)


def alarm(alarm_id: str, **fields: Any) -> Alarm:
    return Alarm(id=alarm_id, fault_action="http://t", fault_ids=("1111",), **fields)


OF_NAME = (
    ("campaigns", "list_plans"),
    ("campaigns", "state"),
    ("campaigns", "get_plan"),
    ("tasks", "list"),
    ("tasks", "memo"),
    ("admission", "impacts"),
    ("notices", "for_task"),
    ("notices", "replies"),
    ("subscriptions", "get"),
    ("backups", "get"),
)


def call(part: str, method: str, *args: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(part), st.just(method), st.tuples(*args), st.fixed_dictionaries(named))


CHANGES = {
    "campaigns": [
        call("campaigns", "add", st.builds(campaign, NAMES, state=CAMPAIGN_STATES, cloud=st.none() | NAMES, created_at=TIMES)),
        call("campaigns", "change", NAMES, st.lists(CAMPAIGN_STATES), EVENTS, state=CAMPAIGN_STATES, cloud=NAMES),
        call("campaigns", "change", NAMES, st.lists(CAMPAIGN_STATES), reason=NAMES),
        call("campaigns", "add_plan", st.builds(plan, NAMES, campaign=NAMES, digest=NAMES, created_at=TIMES)),
    ],
    "tasks": [
        call(
            "tasks",
            "put",
            TASKS,
            EVENTS,
        ),
        call("tasks", "remember", NAMES, NAMES, VALUES, once=st.booleans()),
        call("events", "append", EVENTS),
    ],
    "nodes": [
        call("admission", "enter_node", st.builds(slot, NAMES, campaign=NAMES, task=NAMES, since=TIMES), st.just(two_at_most)),
        call("admission", "leave_node", NAMES, NAMES),
    ],
    "impacts": [
        call("admission", "enter_impact", st.builds(impact, IDS, campaign=NAMES, started_at=TIMES), TIMES, st.just(two_at_most)),
        call("admission", "end_impact", IDS, TIMES),
        call("admission", "withdraw_impact", IDS),
    ],
    "restorations": [
        call("restorations", "add", st.builds(restoration, NAMES, object_id=NAMES, created_at=TIMES)),
        call("restorations", "done", NAMES, TIMES),
    ],
    "alarms": [
        call(
            "alarms",
            "put",
            st.builds(alarm, IDS, project=NAMES, server=NAMES, registered_at=TIMES, notice=st.none() | NAMES),
            per_server=NUMBERS,
            per_project=NUMBERS,
        ),
        call("alarms", "mark", IDS, notice=NAMES, told_at=st.none() | TIMES),
        call("alarms", "end", IDS, TIMES),
        call("alarms", "forget", TIMES),
    ],
    "backups": [
        call("backups", "add", st.builds(backup, NAMES, node=NAMES, campaign=NAMES, taken_at=TIMES)),
        call("backups", "begin_restore", NAMES, TIMES),
        call("backups", "mark", NAMES, restore=st.sampled_from(RestoreState), restored_at=TIMES, scope=st.just(("config",))),
        call("backups", "mark", NAMES, state=st.sampled_from(BackupState), pruned_at=st.none() | TIMES, message=NAMES),
    ],
    "notices": [
        call(
            "notices",
            "add",
            st.lists(st.builds(notice, NAMES, task=NAMES, state=NOTICE_STATES, next_attempt_at=TIMES), max_size=2),
        ),
        call("notices", "update", NAMES, st.lists(NOTICE_STATES), state=NOTICE_STATES, reply_by=st.none() | TIMES),
        call("notices", "record_reply", NAMES, TIMES, st.just(Reply(result="ACK")), NAMES),
    ],
    "subscriptions": [
        call("vnfms", "add", st.builds(Vnfm, name=NAMES, spec=st.just(VnfmSpec()))),
        call("vnfms", "remove", NAMES),
        call("subscriptions", "add", st.builds(Subscription, vnfm=NAMES, callback_uri=IDS, sealed=st.none() | IDS)),
        call("subscriptions", "remove", NAMES),
    ],
}
QUESTIONS: list[Call] = [
    ("campaigns", "list", (), {}),
    ("admission", "node_slots", (), {}),
    ("restorations", "open", (), {}),
    ("subscriptions", "list", (), {}),
    ("backups", "list", (), {}),
    ("backups", "list", ("a", "b"), {}),
    ("backups", "restoring", (), {}),
    ("notices", "list", (), {}),
    ("alarms", "of_servers", (("a", "b"),), {}),
    ("notices", "due", (1.0,), {}),
    ("notices", "expired", (1.0,), {}),
    ("notices", "due", (1.0, 3), {"to": "v1"}),
    ("events", "read", (1,), {"limit": 3}),
    ("events", "read", (), {"campaign": "a", "node": "b"}),
    *((part, method, (name,), {}) for name in ("a", "b") for part, method in OF_NAME),
]


async def answer(store: Store, asked: Call) -> object:
    part, method, args, named = asked
    try:
        return await getattr(getattr(store, part), method)(*args, **named)
    except EscalatorError as error:
        return type(error), error.code


SLOW = [HealthCheck.too_slow]


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_both_answer_alike(changes: list[st.SearchStrategy[Call]], sqlite_template: Path) -> None:
    @settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=SLOW)
    @given(calls=st.lists(st.one_of(changes), min_size=15, max_size=40))
    def compare(calls: list[Call]) -> None:
        asyncio.run(compare_answers(calls, sqlite_template))

    compare()


async def compare_answers(calls: list[Call], template: Path) -> None:
    memory = memory_store()
    with tempfile.TemporaryDirectory() as folder:
        state = shutil.copytree(template, Path(folder) / "state")
        async with open_sqlite(state / FILE) as sqlite:
            for asked in [*calls, *QUESTIONS]:
                assert await answer(memory, asked) == await answer(sqlite, asked), asked
