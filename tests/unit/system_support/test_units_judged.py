"""Which service units do their part, by what systemd shows of them, and which run for a moment only."""

from __future__ import annotations

import pytest

from escalator.system_support.packages.on_node.probe import judged

NOW_S = 10_000.0
RUNS = {"ActiveState": "active", "SubState": "running", "Result": "success"}
ENDED = {"ActiveState": "inactive", "SubState": "dead", "Result": "success"}
FAILED = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}
YOUNG, OLD = "9990000000", "1000000000"
BUS = {"Type": "dbus", "BusName": "org.x.Known"}


@pytest.mark.parametrize(
    ("unit", "there", "passing"),
    [
        (RUNS, True, False),
        (ENDED, False, False),
        (FAILED, False, False),
        (ENDED | {"TriggeredBy": "x-admin.socket x.socket"}, True, False),
        (ENDED | {"TriggeredBy": "stopped.socket"}, False, False),
        (FAILED | {"TriggeredBy": "x.socket"}, False, False),
        (ENDED | {"TriggeredBy": "x.socket", "Result": "timeout"}, False, False),
        (RUNS | {"TriggeredBy": "x.timer"}, True, True),
        (RUNS | {"TriggeredBy": "x.path"}, True, True),
        (RUNS | {"TriggeredBy": "x.socket"}, True, False),
        (RUNS | {"Type": "oneshot"}, True, True),
        ({"ActiveState": "active", "SubState": "exited", "Result": "success", "Type": "oneshot"}, False, False),
        (RUNS | BUS | {"ActiveEnterTimestampMonotonic": YOUNG}, True, True),
        (RUNS | BUS | {"ActiveEnterTimestampMonotonic": OLD}, True, False),
        (RUNS | BUS | {"ActiveEnterTimestampMonotonic": YOUNG, "BusName": "org.x.Own"}, True, False),
        (ENDED | BUS, False, False),
    ],
)
def test_a_unit_is_judged_by_its_state_its_triggers_and_its_age(unit: dict[str, str], there: bool, passing: bool) -> None:
    found = judged([{"Id": "x.service", **unit}], {"x.socket"}, NOW_S, lambda name: name == "org.x.Known.service")
    assert found == {"units": ["x.service"] * there, "passing": ["x.service"] * passing}
