"""Replicas under Ray Serve and workers under Ray Data, on a cluster of this machine: `make test-ray`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import openai
import pytest
from clustered import begun, open_logging, open_versioned, wait_until
from councils import QUESTION
from releases import TOML, write_expert, write_model

from proxycouncil.council.bulk.running import answer_table
from proxycouncil.council.cli.app import run
from proxycouncil.council.cluster import cluster
from proxycouncil.council.deploy.running import deployed
from proxycouncil.council.deploy.settings import STICKY_HEADER, DeploySettings
from proxycouncil.council.versions.store import Store

pytest.importorskip("ray", reason="`make test-ray` makes an environment with Ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.timeout(900),
    # Of Ray and its clients, in this process.
    pytest.mark.filterwarnings("ignore"),
]

PORT = 8765
URL = f"http://127.0.0.1:{PORT}/v1"
UNHURRIED = DeploySettings(replicas=2, at_once=4, per_minute=100_000, cpus=0.5)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """One cluster for all; its processes find the tests' own modules."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), before])
    with cluster(cpus=4) as opened:
        yield opened
    os.environ["PYTHONPATH"] = before


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    """The official client, which tries again what a server could not answer."""
    with openai.OpenAI(base_url=URL, api_key="none", max_retries=8, timeout=60) as opened:
        yield opened


def ask(client: openai.OpenAI, question: str = QUESTION, **headers: str) -> Any:
    messages: Any = [{"role": "user", "content": question}]
    return client.chat.completions.create(model="council", messages=messages, extra_headers=headers)


def process_in(answer: Any) -> int:
    return int(answer.choices[0].message.content.split()[-1])


def questions(count: int) -> list[str]:
    return [f"{QUESTION} ({number})" for number in range(count)]


def test_what_is_written_is_what_serve_deploy_reads():
    from ray import serve
    from ray.serve.schema import ServeDeploySchema

    written = DeploySettings(replicas=2, max_replicas=3, sticky=True).serve_file(host="0.0.0.0", port=9000)
    read = ServeDeploySchema.model_validate(written)
    (application,) = read.applications
    assert (read.http_options.host, read.http_options.port) == ("0.0.0.0", 9000)
    module, _, builder = application.import_path.partition(":")
    assert isinstance(getattr(import_module(module), builder)(application.args), serve.Application)


class TestBrokenOff:
    # First, while no other cluster runs: Ray gives one 30 s to come up.
    def test_a_run_that_is_killed_goes_on(self, tmp_path):
        """Its cluster ends with it; the next run answers what is missing."""
        file, out = tmp_path / "q.jsonl", tmp_path / "a.jsonl"
        file.write_text("".join(json.dumps({"question": one}) + "\n" for one in questions(64)))
        child = subprocess.Popen(program(file, out, tmp_path))
        journal = tmp_path / "a.jsonl.part-wal"
        wait_until(lambda: child.poll() is not None or size_of(journal) > 40_000, seconds=300)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not out.exists()
        assert subprocess.run(program(file, out, tmp_path), check=False).returncode == 0
        told = [json.loads(line) for line in out.read_text().splitlines()]
        assert [one["question"] for one in told] == questions(64)
        times = Counter(one["question"] for one in begun(tmp_path))
        assert set(times) == set(questions(64))
        assert times.total() < 2 * 64  # the second run did not begin anew


class TestReplicas:
    def test_two_answer_whole_and_streamed(self, ray, client, tmp_path):
        opener = partial(open_logging, str(tmp_path), 0.02)
        with deployed(UNHURRIED, port=PORT, opener=opener):
            assert "council" in [model.id for model in client.models.list()]
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(partial(ask, client), questions(24)))
            assert len({process_in(answer) for answer in answers}) == 2
            messages: Any = [{"role": "user", "content": QUESTION}]
            chunks = list(client.chat.completions.create(model="law", messages=messages, stream=True))
        written = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(written).startswith("process ")
        assert sum(map(bool, written)) > 1

    def test_a_session_stays_at_its_replica(self, ray, client, tmp_path):
        settings = UNHURRIED.model_copy(update={"sticky": True})
        with deployed(settings, port=PORT, opener=partial(open_logging, str(tmp_path))):
            where = {
                session: {process_in(ask(client, **{STICKY_HEADER: session})) for _ in range(4)}
                for session in map(str, range(12))
            }
        assert all(len(processes) == 1 for processes in where.values())
        assert len(set.union(*where.values())) == 2

    def test_killed_amid_200_questions_none_is_lost_and_none_answered_twice(self, ray, client, tmp_path):
        asked, answered = questions(200), Counter[str]()
        lock, killed = threading.Lock(), []

        def put(question: str) -> int:
            answer = ask(client, question)
            with lock:
                answered[question] += 1
                if answered.total() == 60:
                    killed.append(process_in(answer))
                    os.kill(killed[0], signal.SIGKILL)
            return process_in(answer)

        with (
            deployed(UNHURRIED, port=PORT, opener=partial(open_logging, str(tmp_path), 0.02)),
            ThreadPoolExecutor(8) as pool,
        ):
            answerers = list(pool.map(put, asked))
            wait_until(lambda: len({process_in(ask(client)) for _ in range(8)} - set(killed)) == 2)
        assert answered == Counter(asked)
        # What was begun twice was in the hands of the process that died.
        times = Counter(one["question"] for one in begun(tmp_path) if one["question"] != QUESTION)
        again = {question for question, count in times.items() if count > 1}
        lost = {one["question"] for one in begun(tmp_path) if one["pid"] == killed[0]}
        assert again <= lost
        assert len(again) <= UNHURRIED.at_once
        assert len(set(answerers)) >= 2

    def test_what_is_promoted_is_taken_over_while_questions_go_on(self, ray, client, tmp_path):
        file = write_council(tmp_path)
        first = promoted(file)
        client = client.with_options(max_retries=0)  # nothing may have to be tried again
        stop, seen, failed = threading.Event(), Counter[str](), []

        def keep_asking() -> None:
            while not stop.is_set():
                try:
                    seen[ask(client).model_extra["council"]["version"]] += 1
                except openai.OpenAIError as error:
                    failed.append(error)

        opener = partial(open_versioned, str(file), 0.01)
        with deployed(UNHURRIED, port=PORT, opener=opener), ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(keep_asking)
            wait_until(lambda: seen[first] > 20)
            write_expert(tmp_path / "experts" / "economics", "something else")
            second = promoted(file)
            wait_until(lambda: seen[second] > 0)
            time.sleep(5)  # every replica looks once a second
            before = seen[first]
            wait_until(lambda: seen[second] > 60)
            stop.set()
        assert not failed
        assert set(seen) == {first, second}
        assert seen[first] == before


class TestBulk:
    def test_a_worker_that_dies_loses_and_doubles_nothing(self, ray, tmp_path):
        from proxycouncil.council.bulk.on_ray import Pool, ask_rows_on_ray

        rows = list(enumerate(questions(96)))
        pool = Pool(workers=2, at_once=4, cpus=0.5)
        told: Counter[int] = Counter()
        killed = False
        opener = partial(open_logging, str(tmp_path), 0.02)
        for number, answer in ask_rows_on_ray(opener, rows, len(rows), pool=pool):
            told[number] += 1
            assert answer["answer"].startswith("process ")
            if told.total() >= 20 and not killed:
                os.kill(begun(tmp_path)[-1]["pid"], signal.SIGKILL)
                killed = True
        assert told == Counter(range(96))
        assert len({one["pid"] for one in begun(tmp_path)}) >= 3


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def write_council(folder: Path) -> Path:
    (folder / "council.toml").write_text(TOML.replace('calibration = "calibration.json"', ""))
    for name in ("base", "antiexpert"):
        write_model(folder / name)
    for name in ("economics", "general"):
        write_expert(folder / "experts" / name, "an answer in words")
    return folder / "council.toml"


def promoted(file: Path) -> str:
    assert run(["promote", "--force", "--config", str(file)]) == 0
    version = Store(file).current
    assert version is not None
    return version


def bulk_on_ray(file: str, out: str, log: str) -> None:
    """A whole run, with a cluster of its own."""
    from proxycouncil.council.bulk.on_ray import Pool, ask_rows_on_ray

    def asker(rows: Any, count: int) -> Iterator[Any]:
        with cluster(cpus=2):
            pool = Pool(workers=2, at_once=2, cpus=0.5)
            yield from ask_rows_on_ray(partial(open_logging, log, 0.03), rows, count, pool=pool)

    answer_table(Path(file), Path(out), asker, council="fakes", progress=lambda _done, _total: None)


def program(file: Path, out: Path, log: Path) -> list[str]:
    tests = str(Path(__file__).parent)
    body = f"""
import os, sys
sys.path.insert(0, {tests!r})
os.environ["PYTHONPATH"] = os.pathsep.join([{tests!r}, os.environ.get("PYTHONPATH", "")])
os.environ.pop("RAY_ADDRESS", None)
from test_ray import bulk_on_ray
bulk_on_ray({str(file)!r}, {str(out)!r}, {str(log)!r})
"""
    return [sys.executable, "-c", body]
