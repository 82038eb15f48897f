"""Placeholders in the operator's commands: one that stands for nothing is refused when the settings are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.settings import read_settings

MISSPELT = """\
system:
  command:
    argv: [upgrade, "{nod}", "{version}"]
    boot_id_argv: [boot-id, "{node}", "{release}"]
commands:
  look: {argv: [look, "--host={host}"]}
gates:
  go: {kind: command, argv: [go, "{wawe}"]}
  page: {kind: http, url: "https://gate/{campain}"}
locks: {kind: command, acquire: [lock, "{keys}"], renew: [lock, "{key}"], release: [lock, "{key}"]}
neighbours:
  hooks:
    desk: {enter: [tell, "{node}"], leave: [tell, "{nodes}"]}
  alertmanager: {matchers: {instance: "{name}:9100"}}
vim:
  manual: {argv: [page, "{contct}"]}
  commands:
    amf: {argv: [amf, "{verb}", "{vnfmm}"]}
"""
PLACES = {
    "commands.look.argv",
    "gates.go.argv",
    "gates.page.url",
    "locks.acquire",
    "neighbours.alertmanager.matchers",
    "neighbours.hooks.desk.leave",
    "system.command.argv",
    "system.command.boot_id_argv",
    "vim.commands.amf.argv",
    "vim.manual.argv",
}


def settings_of(tmp_path: Path, text: str) -> None:
    file = tmp_path / "escalator.yaml"
    file.write_text(text)
    read_settings(file, {})


def test_every_place_that_takes_placeholders_refuses_one_that_stands_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        settings_of(tmp_path, MISSPELT)
    error = caught.value
    assert error.code is Code.CFG_SETTINGS
    assert {problem.path for problem in error.problems} == PLACES
    assert "line 3: system.command.argv: {nod} stands for nothing here; did you mean {node}?" in str(error)
    assert "{host} stands for nothing here; these do: {node}, {campaign}, {release}, {address}" in str(error)


def test_what_other_tools_read_in_braces_is_left_alone(tmp_path: Path) -> None:
    words = ["sh", "-c", "echo ${HOME} {{ host }} {{host}} {} {0} { print } {a,b}", "{node}.{campaign}"]
    settings_of(tmp_path, f"commands:\n  look: {{argv: {words}}}\n")
