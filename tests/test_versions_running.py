"""Versions taken over while they are asked: by a server, an engine, many threads, a library."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from councils import ANSWER, QUESTION
from fakes import FakeGenerator, FakeSearcher, Script
from mcp import Client
from releases import TOML, council, open_fake, promote, write_council, write_expert, write_model
from serving import served
from shelving import embedder, write_documents
from tiny import save_adapter, save_family

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.mcp import create_server
from proxycouncil.council.serve.app import create_app
from proxycouncil.council.versions.making import make_release
from proxycouncil.council.versions.opening import open_config
from proxycouncil.council.versions.store import Store
from proxycouncil.retrieval.library import Library


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_council(tmp_path)


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
