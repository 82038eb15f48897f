"""Reading documents: every kind of bad text is refused, with path, line and what would be right."""

from __future__ import annotations

import json

import pytest

from escalator.model.campaign import Campaign, load_campaign
from escalator.model.codes import Code
from escalator.model.document import MAX_DEPTH, MAX_PROBLEMS, Source, dotted, load, parse, parse_json
from escalator.model.errors import InputError
from escalator.model.notice import Reply

GOOD = """\
apiVersion: escalator/v1
kind: Campaign
metadata: {name: site7}
spec:
  release: nfvi-agent/2.0.0
  mode: smooth
  scope:
    select: {role: compute}
"""


def refused(text: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(text))
    return caught.value


def lines(error: InputError) -> list[str]:
    return [str(problem) for problem in error.problems]


def test_a_good_document_is_read_from_yaml_and_from_json() -> None:
    campaign = load_campaign(parse(GOOD))
    assert campaign.metadata.name == "site7"
    assert load_campaign(parse(json.dumps(parse(GOOD).data))) == campaign
    assert load_campaign(parse(GOOD.encode())) == campaign


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    error = refused(GOOD + "  wavs: {max_unavailable: 1}\n")
    assert error.code is Code.CFG_DOCUMENT
    assert error.exit_code == 2
    assert lines(error) == ["line 9: spec.wavs: unknown key; did you mean 'waves'?"]


def test_an_unknown_key_that_resembles_none_is_refused_with_all_that_are_known() -> None:
    [line] = lines(refused(GOOD + "  waves: {zzz: 1}\n"))
    assert line.startswith("line 9: spec.waves.zzz: unknown key; known keys are max_extra_moves, max_fill")


def test_an_unknown_key_deep_inside_is_found() -> None:
    [line] = lines(refused(GOOD + "  workloads:\n    notify:\n      reply_timout_s: 5\n"))
    assert line == "line 11: spec.workloads.notify.reply_timout_s: unknown key; did you mean 'reply_timeout_s'?"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("  waves: {reserve_hosts: many}\n", "line 9: spec.waves.reserve_hosts: input should be a valid integer"),
        ("  waves: {max_fill: '1'}\n", "line 9: spec.waves.max_fill: input should be a valid number"),
        ("  waves: {max_fill: 1.5}\n", "line 9: spec.waves.max_fill: input should be less than or equal to 1"),
        ("  waves: {max_unavailable: 0}\n", "line 9: spec.waves.max_unavailable: a number of nodes from 1, or a percentage"),
        ("  waves: {max_unavailable: 10 %}\n", "spec.waves.max_unavailable"),
        ("  waves: {max_unavailable: 0%}\n", "a percentage from 1% to 100% is expected"),
        ("  waves: {max_unavailable: 101%}\n", "a percentage from 1% to 100% is expected"),
        ("  waves: []\n", "line 9: spec.waves: input should be an object"),
        ("  migration: {retries: -1}\n", "line 9: spec.migration.retries: input should be greater than or equal to 0"),
        ("  failure: {then: explode}\n", "line 9: spec.failure.then: 'explode' is not one of 'suspend', 'abort' or 'rollback'"),
        ("  estimates: {upgrade_s: .inf}\n", "spec.estimates.upgrade_s"),
        ("  estimates: {upgrade_s: .nan}\n", "spec.estimates.upgrade_s"),
        ("  node: {timeouts: {verify_s: 99999999}}\n", "line 9: spec.node.timeouts.verify_s: input should be less than"),
    ],
)
def test_a_wrong_type_or_an_impossible_value_is_refused(more: str, expected: str) -> None:
    error = refused(GOOD + more)
    assert error.code is Code.CFG_DOCUMENT
    assert any(expected in line for line in lines(error)), lines(error)


def test_all_problems_are_told_at_once_in_order_of_their_lines() -> None:
    text = GOOD.replace("smooth", "gentle").replace("role: compute", "rol: compute") + "  waves: {max_fill: 7}\n  migation: {}\n"
    found = refused(text).problems
    assert [problem.line for problem in found] == [6, 8, 9, 10]
    assert [problem.path for problem in found] == ["spec.mode", "spec.scope.select.rol", "spec.waves.max_fill", "spec.migation"]


def test_no_more_than_a_page_of_problems_is_told() -> None:
    more = "".join(f"  key{number}: 1\n" for number in range(MAX_PROBLEMS + 30))
    assert len(refused(GOOD + more).problems) == MAX_PROBLEMS


def test_a_required_key_is_named() -> None:
    found = lines(refused("apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: a}\nspec: {mode: smooth}\n"))
    assert found == ["line 4: spec.scope: this key is required"]


@pytest.mark.parametrize("name", ["Site7", "-a", "a-", "a.b", "a b", "", "x" * 64])
def test_a_name_that_is_no_dns_label_is_refused(name: str) -> None:
    [line] = lines(refused(GOOD.replace("name: site7", f"name: {name!r}")))
    assert "metadata.name" in line
    assert "is not a DNS label" in line


@pytest.mark.parametrize(("key", "value"), [("apiVersion", "escalator/v2"), ("kind", "Release")])
def test_another_version_or_kind_is_refused(key: str, value: str) -> None:
    good = {"apiVersion": "escalator/v1", "kind": "Campaign"}[key]
    [line] = lines(refused(GOOD.replace(f"{key}: {good}", f"{key}: {value}")))
    assert key in line
    assert f"{value!r} is not one of" in line


def test_a_key_that_stands_there_twice_is_refused() -> None:
    assert lines(refused(GOOD + "  mode: smooth\n")) == ["line 9: spec.mode: this key stands there twice"]
    error = refused('{"kind": "Campaign", "kind": "Campaign"}')
    assert "key 'kind' stands there twice" in error.message


def test_aliases_are_refused() -> None:
    error = refused("a: &x [1]\nb: *x\n")
    assert lines(error) == ["line 2: document: aliases are not allowed"]


def test_merge_keys_and_tags_do_nothing_special() -> None:
    assert refused("a: !!python/object/apply:os.system [true]\n").code is Code.CFG_DOCUMENT
    assert refused("? [1, 2]\n: 3\n").code is Code.CFG_DOCUMENT


@pytest.mark.parametrize("key", ["2026-01-01", "!!binary aGk=", "!!timestamp soon", "!!bool perhaps", "[a]"])
def test_a_key_that_json_does_not_have_is_refused_with_its_line(key: str) -> None:
    assert lines(refused(f"a: 1\n? {key}\n: 3\n")) == ["line 2: document: only plain values are allowed here"]


@pytest.mark.parametrize(
    "value", ["!!int ''", "!!int '-'", "!!float ''", "!!bool perhaps", "!!timestamp soon", "0x" + "f" * 9999, "0b" + "1" * 99999]
)
def test_a_value_that_its_tag_or_length_forbids_is_refused_with_its_line(value: str) -> None:
    assert lines(refused(f"a: 1\nb: {value}\n")) == ["line 2: document: only plain values are allowed here"]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200])
@pytest.mark.parametrize("form", ["[{}]", '{{"a": {}}}'])
def test_what_is_nested_too_deep_is_refused(form: str, depth: int) -> None:
    text = "1"
    for _ in range(depth):
        text = form.format(text)
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.code is Code.CFG_TOO_LARGE


@pytest.mark.parametrize("opening", ["[", '{"a": '])
def test_what_is_nested_deeper_than_the_stack_is_refused(opening: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(opening * 100_000)
    assert opening == "[" or caught.value.message == f"The document is nested deeper than {MAX_DEPTH} levels."


@pytest.mark.parametrize("text", [b"a: 1", b"[]", b"- a", b"", b"'{'", b"\xef\xbb\xbf{}"])
def test_where_programs_speak_nothing_but_a_json_object_is_read(text: bytes) -> None:
    assert parse_json(b' {"a": 1} ').data == {"a": 1}
    with pytest.raises(InputError, match="an object is expected"):
        parse_json(text)


def test_what_is_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escalator.model.document.MAX_BYTES", 100)
    assert refused(GOOD).code is Code.CFG_TOO_LARGE


def test_only_what_says_its_kind_is_called_by_it() -> None:
    for given in ("[]", '{"result": 1}'):
        with pytest.raises(InputError, match="What was given is not valid") as caught:
            load(Reply, parse(given))
        assert "Reply" not in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "- a", "just words", "12", "null", "# nothing\n"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert "a mapping is expected at the top" in refused(text).message


@pytest.mark.parametrize("text", ["a: [1\n", "a: 'x\n", "{", '{"a": }', b"\xff\xfe\x00", "a: \t- b", "a: b: c"])
def test_text_that_cannot_be_read_is_refused(text: str | bytes) -> None:
    assert refused(text).code is Code.CFG_DOCUMENT


def test_a_date_is_no_value_of_ours_and_is_refused_where_text_is_expected() -> None:
    assert refused(GOOD.replace("nfvi-agent/2.0.0", "2026-01-01")).code is Code.CFG_DOCUMENT


def test_a_json_document_has_no_lines_and_its_problems_have_paths() -> None:
    data = parse(GOOD).data
    data["spec"]["mode"] = 7
    with pytest.raises(InputError) as caught:
        load(Campaign, Source(data))
    assert [(p.path, p.line) for p in caught.value.problems] == [("spec.mode", None)]


def test_a_path_is_written_as_people_write_it() -> None:
    assert dotted(("spec", "groups", 0, "name")) == "spec.groups[0].name"
    assert dotted(()) == ""
