"""Settings: files, drop-ins and the environment, later ones win, all problems together."""

from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.settings import Settings, read_settings


def refused(file: Path | None, environment: dict[str, str]) -> InputError:
    with pytest.raises(InputError) as caught:
        read_settings(file, environment)
    return caught.value


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = read_settings(None, {"HOME": "/nowhere", "OTHER": "1"})
    assert (settings.server.port, settings.repository.port, settings.vnfm.port) == (8470, 8471, 8472)
    assert settings.database.url is None


def test_drop_ins_win_over_the_file_and_the_environment_over_both(tmp_path: Path) -> None:
    file = write(tmp_path / "escalator.yaml", "server: {port: 1001}\nvim: {retry_s: 1}\nlog: {level: debug}\n")
    write(tmp_path / "conf.d" / "20.yaml", "server: {port: 1003}\n")
    write(tmp_path / "conf.d" / "10.yaml", "server: {port: 1002, host: localhost}\nvim: {retry_s: 2}\n")
    settings = read_settings(file, {"ESCALATOR_VIM__RETRY_S": "3", "ESCALATOR_STATE_DIR": "/var/lib/escalator"})
    assert (settings.server.port, settings.server.host) == (1003, "localhost")
    assert settings.vim.retry_s == 3
    assert settings.log.level == "debug"
    assert settings.state == Path("/var/lib/escalator")
    assert settings.credentials == Path("/var/lib/escalator/credentials")


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path / "e.yaml", "# nothing\n"), {}) == Settings()


def test_all_problems_of_file_and_environment_are_told_together(tmp_path: Path) -> None:
    file = write(tmp_path / "e.yaml", "server:\n  prot: 1\nlog:\n  level: loud\n")
    error = refused(file, {"ESCALATOR_VIM__RETRY_S": "-1"})
    assert error.code is Code.CFG_SETTINGS
    assert sorted(p.path for p in error.problems) == ["log.level", "server.prot", "vim.retry_s"]
    assert f"{file}, line 2: server.prot: unknown key; did you mean 'port'?" in str(error)
    assert "variable ESCALATOR_VIM__RETRY_S: vim.retry_s: " in str(error)


def test_each_problem_names_the_file_or_the_variable_that_it_stands_in(tmp_path: Path) -> None:
    file = write(tmp_path / "e.yaml", "# first\n\nserver:\n  port: 8480\n")
    drop_in = write(tmp_path / "conf.d" / "10-x.yaml", "server:\n  portt: 1\n")
    said = str(refused(file, {"ESCALATOR_SERVER__PRT": "1", "ESCALATOR_SERVR__PORT": "1"}))
    assert f"{drop_in}, line 2: server.portt: unknown key" in said
    assert "variable ESCALATOR_SERVER__PRT: server.prt: unknown key" in said
    assert "variable ESCALATOR_SERVR__PORT: servr: unknown key" in said
    assert f"{file}, " not in said, "the file that is fine is not blamed"


def test_of_two_that_say_the_same_the_one_that_wins_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "e.yaml", "server:\n  port: 8480\n")
    drop_in = write(tmp_path / "conf.d" / "10-x.yaml", "server:\n  port: 70000\n")
    assert f"{drop_in}, line 2: server.port: " in str(refused(file, {}))


def test_a_setting_that_cannot_be_names_where_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path / "e.yaml", "server: {host: 0.0.0.0}\n")
    assert f"{file}, line 1: server.host: " in str(refused(file, {}))


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "e.yaml", "log: {}\n")
    drop_in = write(tmp_path / "conf.d" / "10-x.yaml", "a: [1\n")
    assert str(drop_in) in str(refused(file, {}))


@pytest.mark.parametrize(
    "environment",
    [
        {"ESCALATOR_SERVER__PORT": "many"},
        {"ESCALATOR_SERVER__PORT": "70000"},
        {"ESCALATOR_SERVR__PORT": "80"},
        {"ESCALATOR_STATE_DIR": "relative"},
        {"ESCALATOR_DATABASE__URL": "mysql://x/y"},
        {"ESCALATOR_CLOUD__DRIVER": "vmware"},
        {"ESCALATOR_EXECUTOR_ID": "A B"},
        {"ESCALATOR_SERVER__HOST": "0.0.0.0"},
        {"ESCALATOR_SERVER__PORT": "8471"},
        {"ESCALATOR_VIM__RETRY_S": "[1"},
        {"ESCALATOR_VIM__RETRY_S": "!!python/object/apply:os.getcwd []"},
        {"ESCALATOR_SERVER": "text", "ESCALATOR_SERVER__PORT": "1"},
    ],
)
def test_what_cannot_be_is_refused(environment: dict[str, str]) -> None:
    if "ESCALATOR_SERVER" in environment:
        assert read_settings(None, environment).server.port == 1  # the more precise variable stands
    else:
        assert refused(None, environment).exit_code == 2


def test_variables_of_the_command_line_and_the_tests_are_no_settings() -> None:
    environment = {"ESCALATOR_URL": "http://x", "ESCALATOR_TOKEN_FILE": "/x", "ESCALATOR_REQUIRE_REAL": "postgresql"}
    assert read_settings(None, environment) == Settings()


def test_a_file_that_cannot_be_read_or_is_no_mapping_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml", {}).code is Code.CFG_FILE
    assert refused(write(tmp_path / "e.yaml", "- a\n"), {}).code is Code.CFG_SETTINGS


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().executor_id = "x"
