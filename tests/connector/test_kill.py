"""Killed anywhere, an apply loses nothing and doubles nothing when it is run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory_profile import FXIAOKE_LIKE, PLAIN, POOL_FIELD, Profile
from connector.plan_model import Plan
from tests.connector.journal_world import Desk, Fuse, KilledError, field, note, owner, tag


def _plain(desk: Desk) -> Plan:
    """Every kind of primitive but native calls, on records that we had written to before."""
    one, two, three = desk.crm.seed("Accounts", 3)
    first = desk.plan(
        desk.row(0, one, tag("old"), note("M1", "first\nM1")),
        desk.row(1, two, tag("old"), note("M2", "first\nM2"), field("status", None, "watched")),
    )
    desk.apply(first)
    ids = {receipt.target: receipt.remote_id for receipt in desk.journal.receipts()}
    return desk.plan(
        desk.row(
            0,
            one,
            tag("old", on=False),
            tag("new"),
            note("M1", "second\nM1", "first\nM1", ids["M1"]),
            stage_before="out",
            stage_after="far",
        ),
        desk.row(
            1,
            two,
            tag("old", on=False),
            note("M2", None, "first\nM2", ids["M2"]),
            field("status", "watched", None),
            stage_before="out",
            stage_after=None,
        ),
        desk.row(2, three, owner("u1", "u2"), tag("new"), note("M3", "first\nM3")),
    )


def _native(desk: Desk) -> Plan:
    """Native calls, and notes that a search finds late."""
    one, two = desk.crm.seed("Accounts", 2)
    return desk.plan(
        desk.row(0, one, field("life_status", "normal", "invalid"), note("M1", "text\nM1")),
        desk.row(1, two, owner("u1", None), field(POOL_FIELD, None, "p"), note("M2", "text\nM2")),
    )


SCENES = {"plain": (PLAIN, _plain), "native": (FXIAOKE_LIKE, _native)}


def _outcome(desk: Desk) -> dict[str, Any]:
    """Everything that must come out the same however often the process died."""
    receipts = list(desk.journal.receipts())
    assert [each.seq for each in receipts] == list(range(1, len(receipts) + 1))
    return {
        "crm": desk.crm.snapshot(),
        "receipts": sorted((str(e.ref), e.kind, e.target, str(e.after)) for e in receipts),
        "holdings": [
            (h.customer, h.rule, h.kind, h.target, h.value, h.original)
            for h in desk.journal.holdings()
        ],
        "noted": all(h.remote_id for h in desk.journal.holdings() if h.kind == "note"),
        "episodes": [
            (e.customer, e.rule, e.number, e.stage, e.evidence_key, e.closed_at is None)
            for e in desk.journal.episodes(open_only=False)
        ],
    }


def _undisturbed(path: Path, profile: Profile, scene: Callable[[Desk], Plan]) -> dict[str, Any]:
    with Desk(path / "undisturbed", profile) as desk:
        report = desk.apply(scene(desk))
        assert report.complete
        return _outcome(desk)


def _points(path: Path, profile: Profile, scene: Callable[[Desk], Plan]) -> int:
    with Desk(path / "counted", profile) as desk:
        fuse = Fuse()
        desk.apply_until_killed(scene(desk), fuse)
        return fuse.passed


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_every_point_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, name: str
) -> None:
    profile, scene = SCENES[name]
    expected = _undisturbed(tmp_path, profile, scene)
    points = _points(tmp_path, profile, scene)
    assert points >= 20
    for at in range(1, points + 1):
        with Desk(tmp_path / str(at), profile) as desk:
            plan = scene(desk)
            with pytest.raises(KilledError):
                desk.apply_until_killed(plan, Fuse(at))
            report = desk.apply(plan)
            assert report.complete, at
            assert _outcome(desk) == expected, at
            assert desk.apply(plan).writes == 0, at


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    deaths=st.lists(st.integers(1, 30), min_size=2, max_size=6), name=st.sampled_from(list(SCENES))
)
def test_killed_again_and_again_it_still_comes_out_the_same(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], name: str
) -> None:
    path = tmp_path_factory.mktemp("deaths")
    profile, scene = SCENES[name]
    expected = _undisturbed(path, profile, scene)
    with Desk(path / "killed", profile) as desk:
        plan = scene(desk)
        for at in deaths:
            try:
                desk.apply_until_killed(plan, Fuse(at))
            except KilledError:
                continue
        assert desk.apply(plan).complete
        assert _outcome(desk) == expected
