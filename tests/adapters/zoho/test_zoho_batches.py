"""From changes to the fewest calls, in the order that was asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.zoho.batches import WRITE_LIMITS, batches, lower
from connector.models import Change, Primitive, PrimitiveKind, Ref, Step, StepKind, inverse
from connector.ports import Batch


def change(number: int, *steps: Step, intent: str = "i") -> Change:
    return Change(f"{intent}{number}", Ref("Accounts", str(number)), "rule", steps)


def tag(name: str, *, after: bool = True) -> Step:
    return Step(StepKind.TAG, name, before=not after, after=after)


def note(number: int) -> Step:
    return Step(StepKind.NOTE, f"MARK{number}", before=None, after=f"text MARK{number}")


STATUS = Step(StepKind.FIELD, "Customer_Status", "Active", "Void")
OWNER = Step(StepKind.OWNER, "", "1", "2")


def grouped(*changes: Change) -> list[Batch]:
    return list(batches(tuple(p for each in changes for p in lower(each))))


def test_each_step_becomes_a_primitive_of_its_kind() -> None:
    gone = Step(StepKind.NOTE, "MARK", before="text", after=None, remote_id="7")
    lowered = lower(change(1, STATUS, OWNER, tag("a"), tag("b", after=False), note(1), gone))
    assert [(p.kind, p.target, p.step) for p in lowered] == [
        (PrimitiveKind.SET_FIELD, "Customer_Status", 0),
        (PrimitiveKind.CHANGE_OWNER, "Owner", 1),
        (PrimitiveKind.ADD_TAG, "a", 2),
        (PrimitiveKind.REMOVE_TAG, "b", 3),
        (PrimitiveKind.PUT_NOTE, "MARK1", 4),
        (PrimitiveKind.DELETE_NOTE, "MARK", 5),
    ]
    assert lowered[5].remote_id == "7"


def test_a_step_that_changes_nothing_is_not_sent() -> None:
    same = Step(StepKind.FIELD, "Customer_Status", "Void", "Void")
    assert [p.target for p in lower(change(1, same, tag("a")))] == ["a"]


def test_calls_are_as_full_as_zoho_takes_them() -> None:
    changes = [change(n, STATUS, OWNER, tag(f"t{n % 2}"), note(n)) for n in range(1200)]
    sizes = Counter((batch.operation, len(batch.primitives)) for batch in grouped(*changes))
    assert sizes == {
        ("update", 200): 12,
        ("add_tags", 500): 2,
        ("add_tags", 100): 2,
        ("create_notes", 100): 12,
    }


def test_a_tag_that_comes_first_here_and_later_there_still_fills_its_calls() -> None:
    early = [change(n, tag("a")) for n in range(250)]
    late = [change(n, tag("b", after=False), tag("a")) for n in range(250, 500)]
    assert [(b.operation, len(b.primitives)) for b in grouped(*early, *late)] == [
        ("remove_tags", 250),
        ("add_tags", 500),
    ]


def test_orders_that_contradict_each_other_take_one_call_more() -> None:
    one = change(1, tag("a"), tag("b"))
    other = change(2, tag("b"), tag("a"))
    sent = grouped(one, other)
    assert sum(len(batch.primitives) for batch in sent) == 4
    assert len(sent) == 3


def test_modules_and_tags_do_not_mix() -> None:
    lead = Change("x", Ref("Leads", "5"), "rule", (tag("a"),))
    assert len(grouped(change(1, tag("a")), change(2, tag("b")), lead)) == 3


def test_one_field_twice_is_two_calls() -> None:
    again = Step(StepKind.FIELD, "Customer_Status", "Void", "Pool")
    assert [len(b.primitives) for b in grouped(change(1, STATUS, again))] == [1, 1]
    sent = grouped(change(1, STATUS), change(1, again, intent="j"))
    assert [len(b.primitives) for b in sent] == [1, 1]


def test_a_tag_that_two_rules_want_is_one_row() -> None:
    (batch,) = grouped(change(1, tag("a")), change(1, tag("a"), intent="j"))
    assert (len(batch.primitives), batch.cost) == (2, 1)


def test_a_new_text_for_a_note_is_an_update() -> None:
    new = Step(StepKind.NOTE, "MARK", before="old MARK", after="new MARK", remote_id="7")
    assert [b.operation for b in grouped(change(1, new))] == ["update_notes"]


def test_taking_a_deleted_note_back_puts_a_new_one() -> None:
    gone = Step(StepKind.NOTE, "MARK", before="text MARK", after=None, remote_id="7")
    (primitive,) = lower(change(1, gone))
    back = inverse(primitive, intent_id="undo", step=0, remote_id="7")
    assert [b.operation for b in batches((back,))] == ["create_notes"]


@pytest.mark.parametrize(
    ("steps", "records", "cost"), [((STATUS,), 95, 10), ((tag("a"),), 51, 2), ((tag("a"),), 50, 1)]
)
def test_cost_is_counted_in_started_blocks_of_rows(
    steps: tuple[Step, ...], records: int, cost: int
) -> None:
    assert sum(b.cost for b in grouped(*(change(n, *steps) for n in range(records)))) == cost


STEPS = st.sampled_from([STATUS, OWNER, tag("a"), tag("b"), tag("c", after=False), note(1)])


@given(st.lists(st.lists(STEPS, max_size=5, unique_by=lambda step: (step.kind, step.target))))
def test_nothing_is_lost_doubled_or_out_of_order(plans: list[list[Step]]) -> None:
    changes = [
        change(number % 3, *steps, intent=f"{number}-") for number, steps in enumerate(plans)
    ]
    wanted = [p for each in changes for p in lower(each)]
    sent: list[Primitive] = []
    for batch in batches(tuple(wanted)):
        assert len({p.ref for p in batch.primitives}) <= min(
            WRITE_LIMITS[p.kind].batch for p in batch.primitives
        )
        sent += batch.primitives
    assert Counter(p.key for p in sent) == Counter(p.key for p in wanted)
    for each in changes:
        steps = [p.step for p in sent if p.intent_id == each.intent_id]
        assert all(earlier < later for earlier, later in pairwise(steps))
