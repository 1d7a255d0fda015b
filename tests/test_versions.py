"""Versions: kept by content, compared before they answer, gone back from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from councils import ANSWER, QUESTION
from releases import TOML, council, open_fake, promote, write_council, write_expert

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.versions.making import damage, make_release
from proxycouncil.council.versions.opening import open_config, split_reference
from proxycouncil.council.versions.store import Store
from proxycouncil.errors import ConfigError, UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_council(tmp_path)


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
