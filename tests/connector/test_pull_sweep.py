"""Objects of which the CRM does not tell what changed or what was deleted: full pulls, and sweeps
over all ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.errors import ProtocolError, RefusedError, UnavailableError
from connector.ports import ObjectInfo, Page, PullRequest
from connector.spool import SWEEP_LINE_IDS
from tests.connector.pull_world import FakeCrm, World, _encoded, account, deal, make_world


@dataclass
class SweepingCrm(FakeCrm):
    """With what changed it names, on pages of their own, the ids that exist. `made_meanwhile`:
    records that it shows on a page behind the sweep's first one."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    share: int = 2
    made_meanwhile: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    break_behind: int | None = None

    def pull(self, request: PullRequest) -> Iterator[Page]:
        name = request.object
        swept = self.ids.get(name) if request.since else None
        if swept is None:
            yield from super().pull(request)
            return
        shares = [tuple(swept[n : n + self.share]) for n in range(0, len(swept), self.share)]
        if request.resume is None:
            self.requests.append(request)
            rows = tuple(map(_encoded, self.changed.get(name, ())))
            deleted = tuple(self.deleted.get(name, ()))
            yield Page(name, rows, deleted, resume="0")
        for number in range(int(request.resume or 0), len(shares)):
            if self.break_behind == number:
                raise UnavailableError("gone away", "come back")
            last = number == len(shares) - 1
            late = self.made_meanwhile.get(name, ()) if last else ()
            yield Page(
                name,
                tuple(map(_encoded, late)),
                resume=None if last else str(number + 1),
                watermark=self.watermark if last else None,
                present=shares[number],
            )


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.crm = SweepingCrm(rows={**world.crm.rows, "Accounts": [account(n) for n in range(1, 11)]})
    world.pull()
    world.later(hours=1)
    return world


def crm(world: World) -> SweepingCrm:
    assert isinstance(world.crm, SweepingCrm)
    return world.crm


def customers(world: World) -> set[int]:
    return {int(name) for (name,) in world.ask("SELECT id FROM customers")}


def ids(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


def info(name: str, *, incremental: bool = True, reconcile_days: int | None = None) -> ObjectInfo:
    return ObjectInfo(name, name, (), incremental=incremental, reconcile_days=reconcile_days)


def kinds(world: World, **objects: ObjectInfo) -> dict[str, str]:
    return {item.object: item.kind for item in world.pull(objects=objects).objects}


def test_whoever_is_missing_from_the_sweep_was_deleted(world: World) -> None:
    crm(world).ids = {"Accounts": ids(*range(1, 9))}
    [report] = [item for item in world.pull().objects if item.object == "Accounts"]
    assert (report.kind, report.rows, report.deleted) == ("incremental", 0, 2)
    assert customers(world) == set(range(1, 9))
    assert world.ask("SELECT object, id FROM tombstones ORDER BY id") == [
        ("Accounts", "10"),
        ("Accounts", "9"),
    ]


def test_a_sweep_that_finds_everybody_changes_nothing(world: World) -> None:
    before = world.ask("FROM customers ORDER BY key"), world.ask("FROM versions ORDER BY key")
    files = sorted(world.workspace.history_path.iterdir())
    crm(world).ids = {"Accounts": ids(*range(1, 11), 99)}
    [report] = [item for item in world.pull().objects if item.object == "Accounts"]
    assert report.deleted == 0
    assert (
        world.ask("FROM customers ORDER BY key"),
        world.ask("FROM versions ORDER BY key"),
    ) == before
    assert sorted(world.workspace.history_path.iterdir()) == files


def test_changes_and_a_sweep_come_together(world: World) -> None:
    crm(world).changed = {"Accounts": [account(3, Phone="3"), account(11)]}
    crm(world).ids = {"Accounts": ids(*range(1, 10), 11)}
    world.pull()
    assert customers(world) == {*range(1, 10), 11}
    assert world.ask("SELECT phone FROM customers WHERE id = '3'") == [("3",)]


def test_a_record_that_was_read_and_is_then_missing_is_gone(world: World) -> None:
    crm(world).changed = {"Accounts": [account(3, Phone="3"), account(11)]}
    crm(world).ids = {"Accounts": ids(1, 2, *range(4, 11))}
    world.pull()
    assert customers(world) == {1, 2, *range(4, 11)}


def test_a_record_made_during_the_sweep_stays(world: World) -> None:
    crm(world).made_meanwhile = {"Accounts": [account(12), account(9, Phone="9")]}
    crm(world).ids = {"Accounts": ids(*range(1, 9), 10)}
    world.pull()
    assert customers(world) == {*range(1, 11), 12}


def test_a_rejected_record_is_gone_when_the_sweep_lacks_it(world: World) -> None:
    crm(world).changed = {"Accounts": [account(4, Phone=["a"]), account(5, Phone=["a"])]}
    crm(world).ids = {"Accounts": ids(*range(1, 5), *range(6, 11))}
    world.pull()
    assert customers(world) == {1, 2, 3, *range(6, 11)}
    assert world.ask("SELECT id FROM tombstones") == [("5",)]
    assert world.ask("SELECT DISTINCT record_id FROM problems WHERE field = '$.Phone'") == [("4",)]


def test_a_record_that_comes_back_is_no_longer_deleted(world: World) -> None:
    crm(world).ids = {"Accounts": ids(*range(1, 10))}
    world.pull()
    world.later(hours=1)
    crm(world).changed = {"Accounts": [account(10)]}
    crm(world).ids = {"Accounts": ids(*range(1, 11))}
    world.pull()
    assert customers(world) == set(range(1, 11))
    assert world.ask("FROM tombstones") == []


def test_facts_of_a_swept_object_go_too(world: World) -> None:
    crm(world).ids = {"Deals": ["d1", "d2"]}
    world.pull(accept_shrink=True)
    assert world.ask("SELECT id FROM deals ORDER BY id") == [("d1",), ("d2",)]


def test_a_sweep_that_lost_too_much_is_refused_and_not_kept(world: World) -> None:
    crm(world).ids = {"Accounts": ids(*range(1, 8))}
    with pytest.raises(RefusedError, match="7 customers from Accounts where 10 were staged"):
        world.pull()
    assert customers(world) == set(range(1, 11))
    crm(world).ids = {"Accounts": ids(*range(1, 10))}
    world.pull()
    assert customers(world) == set(range(1, 10))


def test_a_loss_can_be_accepted(world: World) -> None:
    crm(world).ids = {"Accounts": ids(1)}
    world.pull(accept_shrink=True)
    assert customers(world) == {1}


def test_what_the_crm_itself_calls_deleted_is_no_loss_of_a_sweep(world: World) -> None:
    gone = ids(*range(3, 11))
    crm(world).deleted = {"Accounts": gone}
    crm(world).ids = {"Accounts": ids(1, 2)}
    world.pull()
    assert customers(world) == {1, 2}


def test_a_broken_sweep_deletes_nobody_and_goes_on_where_it_stopped(world: World) -> None:
    crm(world).ids = {"Accounts": ids(*range(1, 10))}
    crm(world).break_behind = 2
    with pytest.raises(UnavailableError):
        world.pull()
    assert customers(world) == set(range(1, 11))
    crm(world).break_behind = None
    crm(world).requests.clear()
    world.pull()
    assert "Accounts" not in crm(world).asked()
    assert customers(world) == set(range(1, 10))


def test_an_unreadable_sweep_deletes_nobody(world: World) -> None:
    def refuse(_request: PullRequest, _page: int) -> None:
        raise ProtocolError("no such page", "")

    crm(world).faults = {"Accounts": refuse}
    with pytest.raises(ProtocolError):
        world.pull()
    assert customers(world) == set(range(1, 11))


def test_a_sweep_longer_than_a_line_is_read_whole(world: World) -> None:
    crm(world).share = 3 * SWEEP_LINE_IDS
    crm(world).ids = {"Accounts": ids(*range(2, SWEEP_LINE_IDS * 2 + 7))}
    world.pull()
    assert customers(world) == set(range(2, 11))


def test_an_object_without_changes_is_pulled_in_full_each_time(world: World) -> None:
    crm(world).rows["Deals"] = [deal(number, 1) for number in (1, 2, 3, 4)]
    found = kinds(world, Deals=info("Deals", incremental=False), Accounts=info("Accounts"))
    assert found["Deals"] == "full"
    assert found["Accounts"] == found["Calls"] == "incremental"
    assert len(world.ask("FROM deals")) == 4


def test_reconciliation_shortens_the_time_between_full_pulls(world: World) -> None:
    often = {"Accounts": info("Accounts", reconcile_days=2)}
    assert kinds(world, **often)["Accounts"] == "incremental"
    world.later(days=2)
    found = kinds(world, **often)
    assert (found["Accounts"], found["Deals"]) == ("full", "incremental")
    assert kinds(world, **often)["Accounts"] == "incremental"


def test_reconciliation_never_makes_full_pulls_rarer(world: World) -> None:
    world.later(days=7)
    assert kinds(world, Accounts=info("Accounts", reconcile_days=30))["Accounts"] == "full"


def recipe(name: str, recipe: str) -> dict[str, ObjectInfo]:
    return {name: ObjectInfo(name, name, (), recipe=recipe)}


def test_what_is_asked_for_in_another_way_is_pulled_anew(world: World) -> None:
    assert kinds(world, **recipe("Accounts", "a"))["Accounts"] == "full"
    assert kinds(world, **recipe("Accounts", "a"))["Accounts"] == "incremental"
    assert kinds(world, **recipe("Accounts", "b"))["Accounts"] == "full"
    assert kinds(world, **recipe("Accounts", "b"))["Deals"] == "incremental"


def test_a_walk_begun_in_another_way_does_not_go_on(world: World) -> None:
    crm(world).ids = {"Accounts": ids(*range(1, 11))}
    crm(world).break_behind = 1
    world.pull(objects=recipe("Accounts", ""), full=True)
    with pytest.raises(UnavailableError):
        world.pull(objects=recipe("Accounts", ""))
    crm(world).break_behind = None
    before = len(crm(world).requests)
    world.pull(objects=recipe("Accounts", "other"))
    begun = [asked for asked in crm(world).requests[before:] if asked.object == "Accounts"]
    assert [asked.resume for asked in begun] == [None]
