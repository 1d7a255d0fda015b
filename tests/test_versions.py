"""Versions: kept by content, compared before they answer, gone back from, taken over while serving."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from councils import ANSWER, QUESTION
from fakes import FakeGenerator, FakeSearcher, Script, question_of
from mcp import Client
from safetensors.numpy import save_file
from serving import served
from shelving import embedder, write_documents
from tiny import save_adapter, save_family

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.mcp import create_server
from proxycouncil.council.serve.app import create_app
from proxycouncil.council.versions.making import damage, make_release
from proxycouncil.council.versions.opening import open_config, split_reference
from proxycouncil.council.versions.store import Store
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.retrieval.library import Library

TOML = """
[family]
base = "./base"
antiexpert = "./antiexpert"
device = "cpu"

[specialists.economics]
expert = "./experts/economics"
description = "All of economics."

[generalist]
expert = "./experts/general"

[council]
max_new_tokens = 6
calibration = "calibration.json"
"""


def write_expert(folder: Path, says: str) -> Path:
    """A whole adapter as far as files go; what it says stands in its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"says": says}), encoding="utf-8")
    save_file({"a": np.zeros(3, dtype=np.float32)}, folder / "adapter_model.safetensors")
    return folder


def write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    save_file({"a": np.zeros(3, dtype=np.float32)}, folder / "model.safetensors")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A council.toml with parts beside it, and twenty questions."""
    (tmp_path / "council.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "calibration.json").write_text("{}", encoding="utf-8")
    for name in ("base", "antiexpert"):
        write_model(tmp_path / name)
    for name in ("economics", "general"):
        write_expert(tmp_path / "experts" / name, ANSWER)
    lines = [
        {"id": f"q{n}", "question": f"{QUESTION} ({n})", "accepted": [ANSWER], "domain": "economics"}
        for n in range(20)
    ]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "council.toml"


def open_fake(reference: Path | None) -> Council:
    """A council whose members say what stands in their expert's settings."""
    config, version = open_config(reference or Path("council.toml"))
    members = {**config.specialists, "general": config.generalist}
    says = {
        name: json.loads((Path(one.expert or "") / "adapter_config.json").read_text())["says"]
        for name, one in members.items()
    }

    def reply(member: str, request: Any) -> str:
        return str(says[member]).replace("{question}", question_of(request))

    return Council(
        config,
        generator=FakeGenerator(reply),
        searcher=FakeSearcher(),
        origin=str(reference),
        version=version,
    )


def council(file: Path, *arguments: str) -> int:
    config = ["--config", str(file)]
    return run([arguments[0], *config, *arguments[1:]], Process(open_fake))


def promote(file: Path, *more: str) -> int:
    return council(file, "promote", "--questions", str(file.with_name("asked.jsonl")), *more)


class TestStore:
    def test_equal_parts_are_one_version_and_are_kept_once(self, file):
        store = Store(file)
        first = make_release(CouncilConfig.load(file), store)
        again = make_release(CouncilConfig.load(file), store)
        assert first.id == again.id
        assert store.ids() == [first.id]
        # Both members have the same expert, so there is one folder of it.
        assert len(list((store.root / "experts").iterdir())) == 1
        assert not damage(first, store)

    def test_what_was_kept_does_not_change_with_its_source(self, file):
        store = Store(file)
        old = make_release(CouncilConfig.load(file), store)
        write_expert(file.parent / "experts" / "economics", "something else")
        new = make_release(CouncilConfig.load(file), store)
        assert new.changes(old) == ["economics"]
        config, version = open_config(f"{file}@{old.id[:5]}")
        assert version == old.id
        kept = Path(str(config.specialists["economics"].expert))
        assert json.loads((kept / "adapter_config.json").read_text())["says"] == ANSWER

    def test_the_pointer_decides_and_the_draft_stays_as_written(self, file):
        store = Store(file)
        assert open_config(file)[1] is None
        release = make_release(CouncilConfig.load(file), store)
        store.point_to(release.id, "promote")
        config, version = open_config(file)
        assert version == release.id
        assert str(store.root) in str(config.specialists["economics"].expert)
        draft, none = open_config(f"{file}@draft")
        assert none is None
        assert str(store.root) not in str(draft.specialists["economics"].expert)

    def test_a_pointer_speaks_of_its_own_file_alone(self, file):
        store = Store(file)
        store.point_to(make_release(CouncilConfig.load(file), store).id, "promote")
        other = file.with_name("next.toml")
        other.write_text(file.read_text())
        assert open_config(other)[1] is None

    def test_going_back_twice_goes_back_two_promotions(self, file):
        store = Store(file, clock=lambda: "now")
        for version in ("a", "b", "c"):
            store.point_to(version, "promote")
        assert store.previous == "b"
        store.point_to("b", "rollback")
        assert store.previous == "a"
        store.refuse("d")
        store.point_to("e", "promote")
        assert store.previous == "b"

    def test_a_torn_journal_and_a_leftover_copy_harm_nobody(self, file):
        store = Store(file)
        release = make_release(CouncilConfig.load(file), store)
        store.point_to(release.id, "promote")
        with (store.root / "journal.jsonl").open("a") as journal:
            journal.write('{"action": "prom')
        (store.root / "experts" / ".half").mkdir()
        assert [entry.version for entry in store.journal()] == [release.id]
        store.pointer.write_text("{")
        with pytest.raises(ConfigError, match=r"current\.json"):
            open_config(file)

    def test_pruning_keeps_what_answers_and_what_it_shares(self, file):
        store = Store(file)
        ids = []
        for says in ("a", "b", "c"):
            write_expert(file.parent / "experts" / "economics", says)
            ids.append(make_release(CouncilConfig.load(file), store).id)
            store.point_to(ids[-1], "promote")
        (store.root / "runs").mkdir()
        (store.root / "runs" / f"{ids[0]}-x.jsonl").touch()
        assert sorted(store.prune(2)) == [ids[0]]
        assert store.ids() == sorted(ids[1:])
        assert all(not damage(store.release(one), store) for one in ids[1:])
        assert len(list((store.root / "experts").iterdir())) == 3  # b, c and the generalist's
        assert not list((store.root / "runs").iterdir())
        assert store.previous == ids[1]
        store.point_to(ids[1], "rollback")
        assert store.prune(1) == [ids[2]]
        assert store.current == ids[1]

    def test_damage_is_found(self, file):
        store = Store(file)
        release = make_release(CouncilConfig.load(file), store)
        kept = release.experts["economics"]
        assert kept is not None
        (Path(kept.at(store.root)) / "adapter_model.safetensors").write_bytes(b"gone")
        assert damage(release, store) == ["economics", "general"]

    def test_versions_that_are_not_there_are_refused(self, file):
        store = Store(file)
        make_release(CouncilConfig.load(file), store)
        with pytest.raises(UsageError, match="no version begins"):
            store.release("zzz")
        with pytest.raises(UsageError, match="no version begins"):
            open_config(f"{file}@zzz")

    def test_an_at_sign_in_a_path_is_no_version(self, tmp_path):
        assert split_reference(tmp_path / "a@b" / "council.toml")[1] is None
        assert split_reference("council.toml@12ab") == (Path("council.toml"), "12ab")

    def test_a_member_that_the_settings_lost_is_named(self, file):
        store = Store(file)
        store.point_to(make_release(CouncilConfig.load(file), store).id, "promote")
        file.write_text(TOML.replace("specialists.economics", "specialists.law"))
        with pytest.raises(ConfigError, match="'economics'"):
            open_config(file)


class TestCommands:
    def test_the_way_of_a_version(self, file, capsys):
        expert = file.parent / "experts" / "economics"
        assert council(file, "versions") == 0
        assert "no version" in capsys.readouterr().out
        assert promote(file) == 0
        store = Store(file)
        first = store.current
        assert "answers now" in capsys.readouterr().out

        assert promote(file) == 0
        assert "nothing has changed" in capsys.readouterr().out

        for part in ("economics", "general"):
            write_expert(file.parent / "experts" / part, "a kind of tax on trade")
        assert promote(file) == 1
        told = capsys.readouterr()
        assert "is kept back: all questions: fewer right by 100.0%" in told.err
        assert "--force" in told.err
        assert store.current == first

        assert promote(file, "--force") == 0
        worse = store.current
        assert worse != first
        entry = store.journal()[-1]
        assert (entry.action, entry.forced, entry.verdict) == ("promote", True, "worse")
        assert entry.changes == ["economics", "general"]
        assert entry.compared is not None
        assert entry.compared["questions"] == 20

        assert council(file, "rollback") == 0
        assert store.current == first
        capsys.readouterr()
        assert council(file, "versions", "--json", "--verify") == 0
        listed = json.loads(capsys.readouterr().out)
        assert listed["current"] == first
        assert {one["version"] for one in listed["versions"]} == {first, worse}
        assert all(one["damaged"] == [] for one in listed["versions"])
        assert expert.is_dir()

    def test_what_promoted_versions_answered_is_not_asked_again(self, file, capsys):
        asked: list[str] = []

        def counting(reference: Path | None) -> Council:
            opened = open_fake(reference)
            asked.append(str(reference))
            return opened

        arguments = ["promote", "--config", str(file), "--questions", str(file.with_name("asked.jsonl"))]
        assert run(arguments, Process(counting)) == 0
        for says in (f"{ANSWER}.", f"It is {ANSWER}."):
            write_expert(file.parent / "experts" / "economics", says)
            assert run(arguments, Process(counting)) == 0
        runs = sorted((file.parent / "versions" / "runs").iterdir())
        assert len(runs) == 3
        assert "20 answers" in capsys.readouterr().err

    def test_without_questions_nothing_is_promoted_unless_forced(self, file, capsys):
        assert council(file, "promote") == 0  # the first: there is nothing to compare with
        write_expert(file.parent / "experts" / "economics", "x")
        assert council(file, "promote") == 2
        assert "--questions" in capsys.readouterr().err
        assert council(file, "promote", "--force") == 0
        assert Store(file).journal()[-1].verdict is None

    def test_only_a_council_of_ones_own_has_versions(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert run(["versions"], Process(open_fake)) == 2
        assert "council init" in capsys.readouterr().err
        assert run(["rollback"], Process(open_fake)) == 2

    def test_answers_say_which_version_gave_them(self, file):
        with open_fake(file) as before:
            assert before.ask(QUESTION).decision.version is None
        assert promote(file) == 0
        with open_fake(file) as after:
            assert after.ask(QUESTION).decision.version == Store(file).current


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
class TestServing:
    """A server in this process; a version is promoted while requests are in flight."""

    @pytest.fixture
    def slow(self, file: Path) -> Iterator[Council]:
        assert promote(file) == 0
        config, version = open_config(file)
        writer = FakeGenerator({"*": Script(ANSWER, delay_s=0.1)})
        with Council(
            config, generator=writer, searcher=FakeSearcher(), origin=str(file), version=version
        ) as opened:
            yield opened

    def ask(self, url: str) -> Any:
        body = {"model": "council", "messages": [{"role": "user", "content": QUESTION}]}
        return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30).json()["council"]["version"]

    def test_requests_in_flight_end_with_their_version_and_new_ones_get_the_new(self, file, slow):
        old = Store(file).current
        app = create_app(slow, token=None, look_every_s=0.05)
        with served(app) as url, ThreadPoolExecutor(8) as pool:
            early = [pool.submit(self.ask, url) for _ in range(4)]
            while len(slow.generator.requests) < 4:
                time.sleep(0.01)
            write_expert(file.parent / "experts" / "economics", f"{ANSWER}.")
            assert promote(file) == 0
            new = Store(file).current
            while slow.version != new:
                time.sleep(0.01)
            late = [pool.submit(self.ask, url) for _ in range(4)]
            assert [one.result() for one in early] == [old] * 4
            assert [one.result() for one in late] == [new] * 4
            assert council(file, "rollback") == 0
            while slow.version != old:
                time.sleep(0.01)
            assert self.ask(url) == old
            page = httpx.get(f"{url}/metrics").text
            assert 'council_reloads_total{result="taken"} 2.0' in page

    async def test_an_mcp_server_takes_it_over_too(self, file, slow):
        async with Client(create_server(slow, look_every_s=0.05)) as client:

            async def ask() -> Any:
                found = await client.call_tool("ask_council", {"question": QUESTION})
                return (found.structured_content or {})["version"]

            assert await ask() == Store(file).current
            write_expert(file.parent / "experts" / "economics", f"{ANSWER}.")
            assert await asyncio.to_thread(promote, file) == 0
            while slow.version != Store(file).current:
                await asyncio.sleep(0.01)
            assert await ask() == Store(file).current

    def test_what_cant_be_used_is_refused_and_the_old_goes_on(self, file, slow):
        old = slow.version
        app = create_app(slow, token=None, look_every_s=0.05)
        with served(app) as url:
            file.write_text(TOML.replace("./antiexpert", "./base"))
            app.state.follower.ask()
            while "refused" not in httpx.get(f"{url}/metrics").text:
                time.sleep(0.01)
            assert self.ask(url) == old


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A council of tiny models that work."""
    folder = tmp_path_factory.mktemp("council")
    paths = save_family(folder)
    (folder / "experts").mkdir()
    save_adapter(folder / "experts" / "economics", paths["antiexpert"], seed=11)
    save_adapter(folder / "experts" / "general", paths["antiexpert"], seed=12)
    (folder / "council.toml").write_text(TOML.replace('calibration = "calibration.json"', ""))
    return folder


class TestEngine:
    """Real models, tiny and random: what each version writes is compared word by word."""

    def open(self, reference: Path | str) -> Council:
        config, version = open_config(reference)
        return Council(config, searcher=FakeSearcher(), origin=str(reference), version=version)

    def written(self, answer: Any) -> list[str]:
        return sorted(f"{one['member']} {one['slate']} {one['text']}" for one in answer.ballots)

    def test_a_question_keeps_the_version_that_it_began_with(self, home: Path):
        file = home / "council.toml"
        store = Store(file)
        old = make_release(CouncilConfig.load(file), store)
        store.point_to(old.id, "promote")
        with self.open(file) as running:
            before = self.written(running.ask(QUESTION, members=["economics"]))
            save_adapter(home / "experts" / "economics", home / "antiexpert", seed=21)
            new = make_release(CouncilConfig.load(file), store)
            store.point_to(new.id, "promote")
            events = running.stream(QUESTION, members=["economics", "general"])
            first = next(events)
            assert running.reload() is True
            rest = [first, *events]
            assert rest[-1].version == old.id
            ballots = [event.ballot for event in rest if event.type == "ballot"]
            own = sorted(f"economics {b['slate']} {b['text']}" for b in ballots if b["member"] == "economics")
            assert own == before

            after = running.ask(QUESTION, members=["economics"])
            assert after.decision.version == new.id
            assert self.written(after) != before
            with self.open(f"{file}@{new.id}") as fresh:
                assert self.written(fresh.ask(QUESTION, members=["economics"])) == self.written(after)
            assert running.reload() is False

            # Nobody holds the old version any more: its expert is let go of, the generalist's stays.
            family = running.family
            assert family is not None
            del events
            while "economics" in family.experts:
                time.sleep(0.01)
            assert "general" in family.experts
            adapters = family.part("antiexpert").model.adapters
            assert len(adapters._adapters) == 2

    def test_an_expert_that_does_not_load_is_not_taken_over(self, home: Path):
        file = home / "council.toml"
        store = Store(file)
        with self.open(file) as running:
            version = running.version
            before = self.written(running.ask(QUESTION, members=["economics"]))
            save_adapter(home / "experts" / "economics", home / "base", seed=3, target_modules=["q_proj"])
            wrong = make_release(CouncilConfig.load(file), store)
            store.point_to(wrong.id, "promote")
            with pytest.raises(Exception, match=r"economics|adapter|shape|another model"):
                running.reload()
            assert running.version == version
            assert self.written(running.ask(QUESTION, members=["economics"])) == before


def test_many_threads_ask_while_versions_change(file):
    assert promote(file) == 0
    store = Store(file)
    first = store.current
    write_expert(file.parent / "experts" / "economics", f"{ANSWER}.")
    second = make_release(CouncilConfig.load(file), store).id
    with open_fake(file) as running:
        seen: list[str | None] = []
        stop = threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                answer = running.ask(QUESTION)
                assert answer.text
                seen.append(answer.decision.version)

        with ThreadPoolExecutor(3) as pool:
            askers = [pool.submit(keep_asking) for _ in range(3)]
            for turn in range(6):
                store.point_to(str(first if turn % 2 else second), "promote")
                running.reload()
                while seen[-1:] != [running.version]:
                    time.sleep(0.005)
            stop.set()
            for asker in askers:
                asker.result()
        assert set(seen) == {first, second}


def test_a_library_is_kept_as_it_was_and_changed_under_a_running_council(tmp_path):
    """Real Chroma: the draft is ingested into while the promoted copy answers."""
    write_documents(tmp_path)
    (tmp_path / "council.toml").write_text(
        '[family]\nbase = "./base"\n[specialists.pets]\ndescription = "Animals at home."\n', encoding="utf-8"
    )
    write_model(tmp_path / "base")
    file, pets = tmp_path / "council.toml", tmp_path / "docs" / "pets" / "animals.md"
    store = Store(file)

    def ingested() -> str:
        config = CouncilConfig.load(file)
        with Library(config.retrieval.path, embedder=embedder(), root=tmp_path) as library:
            library.ingest("pets", pets)
        release = make_release(config, store)
        store.point_to(release.id, "promote")
        return release.id

    def read(running: Council) -> str:
        return " ".join(excerpt.text for excerpt in running.library.slate("How long do cats sleep?"))

    old = ingested()
    config, version = open_config(file)
    with Council(
        config, generator=FakeGenerator({"*": ANSWER}), origin=str(file), version=version
    ) as running:
        assert "thirteen hours" in read(running)
        before = running.library
        pets.write_text(pets.read_text().replace("thirteen hours", "fifteen hours"), encoding="utf-8")
        new = ingested()
        assert new != old
        assert "thirteen hours" in read(running)
        assert running.reload() is True
        assert "fifteen hours" in read(running)
        assert running.library is not before
        store.point_to(old, "rollback")
        assert running.reload() is True
        assert "thirteen hours" in read(running)
    assert store.release(new).changes(store.release(old)) == ["library"]
