from __future__ import annotations

from argparse import Namespace

import pytest

from escalator.cli.filling import filled


@pytest.mark.parametrize(
    ("noun", "given", "remedy", "said"),
    [
        ("campaign", {"name": "tc"}, "escalator campaign show NAME lists", "escalator campaign show tc lists"),
        ("campaign", {"name": "tc"}, "escalator event list --campaign NAME", "escalator event list --campaign tc"),
        ("campaign", {"name": "tc"}, "escalator vnfm test NAME", "escalator vnfm test NAME"),
        ("campaign", {"name": "t c"}, "escalator campaign show NAME", "escalator campaign show 't c'"),
        ("campaign", {"name": r"\1"}, "escalator campaign show NAME", r"escalator campaign show '\1'"),
        (
            "vnfm",
            {"name": "duty"},
            "escalator vnfm set NAME; escalator campaign show NAME",
            "escalator vnfm set duty; escalator campaign show NAME",
        ),
        ("notice", {"id": "n-1"}, "escalator notice show ID", "escalator notice show n-1"),
        ("backup", {"id": "b-1"}, "escalator backup restore ID --accept-impact", "escalator backup restore b-1 --accept-impact"),
        ("node", {"campaign": "tc", "node": "cn-1"}, "escalator node retry NAME NODE", "escalator node retry tc cn-1"),
        ("node", {"node": "cn-1"}, "escalator node retry NAME NODE", "escalator node retry NAME cn-1"),
        ("node", {"node": "cn-1", "campaign": None}, "escalator backup list --node NODE", "escalator backup list --node cn-1"),
        ("node", {"campaign": "tc", "nodes": ["cn-1"]}, "escalator node retry NAME NODE", "escalator node retry tc cn-1"),
        ("node", {"campaign": "tc", "nodes": ["a", "b"]}, "escalator node retry NAME NODE", "escalator node retry tc NODE"),
        ("release", {"name": "tc"}, "escalator campaign show NAME", "escalator campaign show NAME"),
    ],
)
def test_a_remedy_says_the_names_that_the_command_was_given_and_no_others(noun, given, remedy, said):
    assert filled(remedy, "ESC-UPG-002", noun, Namespace(**given)) == said


@pytest.mark.parametrize("code", ["ESC-UPG-001", "ESC-UPG-003"])
def test_the_name_of_another_campaign_stays_open(code):
    assert filled("escalator campaign show NAME", code, "campaign", Namespace(name="tc")) == "escalator campaign show NAME"


def test_nothing_is_filled_before_there_are_arguments():
    assert filled("escalator campaign show NAME", "ESC-UPG-002", "", None) == "escalator campaign show NAME"
