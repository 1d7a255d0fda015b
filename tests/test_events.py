"""The event stream as a contract: one schema, the same objects everywhere, nothing lost from version 1."""

import json
from pathlib import Path
from typing import Any

import pytest
from councils import QUESTION, council_of
from fakes import Script
from jsonschema import Draft202012Validator
from langchain_core.callbacks import BaseCallbackHandler

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.events import as_event, events_schema
from proxycouncil.council.langchain import ChatCouncil

DOCS = Path(__file__).parents[1] / "docs"
VERSION_1 = {
    "route": {"standalone", "route"},
    "member.start": {"member", "slate"},
    "member.token": {"member", "slate", "text"},
    "ballot": {"ballot"},
    "vote": {"tally"},
    "decision": {
        "question", "standalone", "outcome", "text", "confidence", "calibrated", "agreement", "citations",
        "dissent", "reason", "degraded", "thread",
    },
}  # fmt: skip
"""What the first version promised; it may only grow."""


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(events_schema())


def told(replies: Any = None) -> list[dict[str, Any]]:
    with council_of(replies) as council:
        return [event.model_dump(mode="json") for event in council.stream(QUESTION)]


def test_the_file_is_what_the_models_say():
    assert json.loads((DOCS / "events.schema.json").read_text()) == events_schema()


@pytest.mark.parametrize(
    "replies",
    [None, {}, {"*": RuntimeError("out of paper")}, {"law": Script("one", finish="deadline"), "*": "two"}],
)
def test_whatever_happens_fits_the_schema(schema, replies):
    events = told(replies)
    for event in events:
        schema.validate(event)
        assert as_event(event).model_dump(mode="json") == event
    assert events[-1]["type"] == "decision"


def test_version_1_keeps_every_field_that_it_ever_had():
    seen: dict[str, set[str]] = {}
    for event in told():
        assert event["v"] == 1
        seen.setdefault(event["type"], set()).update(event)
    for kind, fields in VERSION_1.items():
        assert fields <= seen[kind], kind


def test_an_event_of_no_known_kind_does_not_fit(schema):
    assert not schema.is_valid({"v": 1, "type": "gossip"})
    assert not schema.is_valid({"v": 2, "type": "vote", "tally": {}})
    assert not schema.is_valid({"v": 1, "type": "decision"})


def test_readers_must_bear_further_fields(schema):
    schema.validate({**told()[0], "more": 1})


def test_the_command_and_callbacks_tell_the_same_objects(schema, capsys):
    assert run(["ask", "--json", QUESTION], Process(lambda _: council_of())) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    heard: list[dict[str, Any]] = []

    class Listens(BaseCallbackHandler):
        def on_custom_event(self, name, data, *, run_id, **more):
            heard.append(data)

    with council_of() as council:
        ChatCouncil(council=council).invoke(QUESTION, config={"callbacks": [Listens()]})
    for events in (printed, heard):
        for event in events:
            schema.validate(event)
    assert sorted(one["type"] for one in printed) == sorted(one["type"] for one in heard)
    assert printed[-1] == heard[-1]


def test_the_page_names_every_type_and_field():
    page = (DOCS / "events.md").read_text()
    for kind, fields in VERSION_1.items():
        assert f"`{kind}`" in page
        assert all(f"`{field}`" in page for field in fields)
