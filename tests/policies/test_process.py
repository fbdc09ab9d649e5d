"""Rules of all kinds with their process words, pools, scores and the protections of the product."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.duration import Duration
from policies.errors import FileProblems
from policies.language.tree import AllOf, Case, Compare, leaves, walk
from policies.language.vocabulary import Type
from policies.loader.guards import DEFAULT_IDS, GUARD_IDS
from policies.model import Policy
from policies.policy import parse_policy
from policies.process import Act, Extend, FieldMark, Pool, ProcessDate, Tell, Unclaimed

POLICY = """\
policy: 2
name: p
params: {days: 90, word: x, stage: 2}
define:
  valuable: tier = 'A'
  eager: warmth > 20
scores:
  warmth:
    terms:
      - {when: quotes_valid > 0, points: 30}
      - {when: valuable, points: 2.5}
      - {of: open_deals, weight: -10}
clocks: {followup: kind = 'visit'}
fields: {Size: integer}
group: orders
calendar: {holidays: CN, freeze: [春节 -5..+7]}
money: {base: CNY, rates: [{date: 2026-01-01, currency: EUR, rate: 7.8}]}
protect:
  - {id: eager-ones, when: eager AND field('Size') > 5}
pools:
  North: {when: region = 'north', unclaimed: {after: 15 workdays, move_to: Rest}}
  Rest: {when: else, label: The rest}
rules:
  - pool: back
    when: days_since(owned_since) >= $days
    mark: {tag: back, field: {Due: $act_date, Word: $word, Stage: 3}}
    tell:
      - {at: start, to: owner}
      - {left: 4 workdays, to: [owner, manager], text: 'Soon: {{ label }}'}
    wait: 7 workdays
    cancel: days_since(last_response_at) < 7
    extend: {times: 1, days: 15, approve: manager}
    act: {return: auto, reason: too long, open_records: keep}
  - task: wake
    when: workdays_since(last_order_at) > $days
    todo: {to: owner, due: 10 workdays, text: Call, unless: do_not_contact}
  - void: gone
    reason: lost_contact
    when: attempts_unanswered(180) >= 5
    mark: {status: Void}
    review: [owner, manager]
    revisit: {every: 180 days, unless: do_not_contact}
    act: {archive: review}
  - cleanout: end
    when: refusals_count() > 5
    mark: {status: End, field: {Due: $act_date}}
    review: manager
    act: {offboard: review, open_records: block}
  - defect: late
    axis: conduct
    when: invoices_due(365) >= 5 AND on_time_rate(365) < 0.6
    mark: {tag: late}
    note: true
  - tier: value
    bands:
      - {name: A, when: orders_amount(365) > 1000, mark: {tag: A}}
      - {name: B, when: else}
limits:
  owner: {share: 5%, count: 5, per: week}
  total: 3%
  tiers: {value: {A: 2}}
  money: {of: orders_amount(365), at_most: 100000}
  backlog: {wave: 50, order: oldest}
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse_policy(POLICY)


def problems(old: str, new: str) -> list[str]:
    assert old in POLICY
    with pytest.raises(FileProblems) as raised:
        parse_policy(POLICY.replace(old, new, 1), "p.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_the_process_words_are_kept_as_data(policy: Policy) -> None:
    process = policy.rule("back").process
    assert process is not None
    assert process.tell == (
        Tell(None, ("owner",)),
        Tell(Duration(4, "workdays"), ("owner", "manager"), "Soon: {{ label }}"),
    )
    assert process.wait == Duration(7, "workdays")
    assert process.extend == Extend(1, 15, "manager")
    assert process.act == Act("return", "auto", "too long", "keep")
    assert [item.text for item in process.conditions] == ["days_since(last_response_at) < 7"]
    todo = policy.rule("wake").process
    assert todo is not None
    assert todo.todo is not None
    assert (todo.todo.to, todo.todo.due) == (("owner",), Duration(10, "workdays"))
    void = policy.rule("gone").process
    assert void is not None
    assert void.revisit is not None
    assert (void.review, void.revisit.every) == (("owner", "manager"), Duration(180, "days"))
    end = policy.rule("end").process
    assert end is not None
    assert end.act == Act("offboard", "review", "", "block")
    assert policy.rule("value").process is None
    assert policy.rule("late").process is None


def test_a_pool_rule_has_a_stage_for_each_pool(policy: Policy) -> None:
    rule = policy.rule("back")
    assert [stage.name for stage in rule.stages] == ["North", "Rest"]
    assert {stage.tag for stage in rule.stages} == {"back"}
    first, rest = rule.conditions
    assert isinstance(first.tree, AllOf)
    assert first.tree.parts[0] == rest.tree
    assert first.text == "(days_since(owned_since) >= $days) AND (region = 'north')"
    assert (first.file, first.path) == ("policy.yaml", ("rules", 0, "when"))
    assert rule.stages[0].fields == (
        FieldMark("Due", ProcessDate.ACT),
        FieldMark("Word", "x"),
        FieldMark("Stage", 3),
    )
    north, other = policy.pools
    assert north.unclaimed == Unclaimed(Duration(15, "workdays"), "Rest")
    assert other == Pool("Rest", None, None, "The rest")
    plain = parse_policy(POLICY[: POLICY.index("pools:")] + POLICY[POLICY.index("rules:") :])
    assert [stage.name for stage in plain.rule("back").stages] == ["back"]


def test_each_kind_has_what_belongs_to_it(policy: Policy) -> None:
    kinds = [rule.kind for rule in policy.rules]
    assert kinds == ["pool", "task", "void", "cleanout", "defect", "tier"]
    assert [rule.note for rule in policy.rules] == [True, False, True, True, True, False]
    assert policy.rule("late").axis == "conduct"
    assert policy.protections[0].kinds == {"pool", "void", "cleanout"}
    limits = policy.limits
    assert (limits.share, limits.count) == (Decimal("0.03"), None)
    assert limits.owner is not None
    assert (limits.owner.share, limits.owner.per) == (Decimal("0.05"), "week")
    assert policy.group == {"orders"}
    assert policy.fields == {"Size": Type.INTEGER}
    assert policy.clocks == {"followup": "kind = 'visit'"}


def test_names_are_read_in_the_order_in_which_they_need_each_other(policy: Policy) -> None:
    tree = policy.protections[0].when.tree
    cases = [node for node in walk(tree) if isinstance(node, Case)]
    assert {case.type for case in cases} == {Type.TEXT, Type.INTEGER, Type.NUMBER}
    assert {leaf.label for leaf in leaves(tree)} == {
        "quotes_valid",
        "orders_amount(365)",
        "open_deals",
        "field('Size')",
    }
    assert any(isinstance(node, Compare) for node in walk(tree))


def test_the_types_of_the_crm_are_used_and_the_policy_knows_better() -> None:
    text = POLICY.replace("fields: {Size: integer}\n", "")
    policy = parse_policy(text, fields={"Size": Type.NUMBER})
    assert policy.fields == {}
    with pytest.raises(FileProblems, match="type of field"):
        parse_policy(text)
    parse_policy(POLICY, fields={"Size": Type.TEXT})


def test_the_product_protects_by_itself(policy: Policy) -> None:
    guards = [item for item in policy.protections if item.built_in]
    assert tuple(item.id for item in guards) == (*GUARD_IDS, *DEFAULT_IDS)
    assert all(item.certain for item in guards)
    assert guards[0].label_key == "guard.has_ordered"
    assert policy.protections[0].label_key == ""
    assert not policy.protections[0].certain
    assert not policy.protections[0].built_in
    assert all(leaves(item.when.tree) for item in guards)
    kinds = {item.id: item.kinds for item in guards}
    assert kinds["has-ordered"] == {"pool", "void"}
    assert kinds["our-complaint"] == {"cleanout"}
    assert kinds["valid-quote"] == {"pool", "void", "cleanout"}


def test_a_policy_without_exits_needs_no_guards() -> None:
    text = "policy: 2\nname: p\nrules:\n- {tier: t, bands: [{name: A, when: else}]}\n"
    assert parse_policy(text).protections == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("wait: 7 workdays", "wait: 8 workdays"),
        ("wait: 7 workdays", "wait: 7 days"),
        ("at: start, to: owner", "at: start, to: manager"),
        ("< 7\n", "< 8\n"),
        ("times: 1", "times: 2"),
        ("return: auto", "return: review"),
        ("every: 180", "every: 90"),
        ("due: 10", "due: 11"),
        ("text: Call", "text: Write"),
        ("axis: conduct", "axis: service"),
        ("after: 15", "after: 16"),
        ("$act_date, Word", "$start_date, Word"),
        ("Stage: 3", "Stage: $stage"),
        ("holidays: CN", "holidays: DE-BY"),
        ("-5..+7", "-4..+7"),
        ("calendar: {", "calendar: {timezone: Asia/Shanghai, "),
        ("rate: 7.8", "rate: 7.9"),
        ("group: orders", "group: [deals]"),
        ("points: 30", "points: 31"),
        ("per: week", "per: day"),
        ("wave: 50", "wave: 51"),
        ("3%", "4%"),
        ("review: manager", "review: owner"),
        ("label: The rest", "label: Others"),
    ],
)
def test_whatever_changes_the_process_changes_the_hash(old: str, new: str, policy: Policy) -> None:
    assert old in POLICY
    text = POLICY.replace(old, new, 1).replace("春节", "元旦" if "DE" in new else "春节")
    assert parse_policy(text).hash != policy.hash


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("tier = 'A'", "tier = 'A' AND eager", "5:13: 'valuable' is defined by way of itself"),
        ("tier = 'A'", "tier = 'A' AND eager", "9:5: 'warmth' is defined by way of itself"),
        ("orders_amount(365) > 1000", "valuable", "p.yaml:54:11: 'value' is defined by way"),
        ("orders_amount(365) > 1000", "tier('value') = 'A'", "'value' is defined by way"),
        ("{when: valuable, points: 2.5}", "{when: valuable}", "this is no term of a score - write"),
        ("{when: valuable, points: 2.5}", "{when: open_deals, points: 1}", "did you mean open_dea"),
        ("of: open_deals", "of: orders_amount()", "a score adds numbers, not orders_amount()"),
        ("of: open_deals", "of: nix", "unknown name 'nix'"),
        ("of: open_deals", "of: region", "a score adds numbers, not region"),
        ("weight: -10", "weight: 1e30", "p.yaml:12:14: this number could need more than 38 dig"),
        ("points: 30", "points: 1e40", "p.yaml:9:5: this number could need more than 38 digits"),
        ("points: 30", "points: '30'", "expected a number, found '30'"),
        ("eager: warmth", "warmth: open_deals > 1\n  eager: warmth", "the name 'warmth' is taken"),
        ("clocks: {followup", "clocks: {folowup", "no clock 'folowup' - did you mean 'followup'?"),
        ("kind = 'visit'", "kind = 'vist'", "did you mean 'visit'?"),
        (
            "Size: integer",
            "Size: int",
            "'int' is not a value for this key - did you mean 'integer'",
        ),
        ("group: orders", "group: [ordrs]", "there are no facts 'ordrs' - did you mean 'orders'?"),
        ("holidays: CN", "holidays: XX", "p.yaml:16:22:"),
        ("holidays: CN, ", "", "freeze: needs to know whose holidays - add holidays: CN"),
        ("春节 -5", "春分 -5", "p.yaml:16:35:"),
        ("calendar: {", "calendar: {timezone: Asia/Shangai, ", "did you mean 'Asia/Shanghai'?"),
        ("base: CNY", "base: Yuan", "'Yuan' is no code of a currency"),
        ("base: CNY, ", "", "rates: needs a base currency - add base: CNY"),
        ("currency: EUR", "currency: CNY", "CNY is the base currency - its rate is 1"),
        ("currency: EUR", "currency: euros", "'euros' is no code of a currency"),
        ("date: 2026-01-01", "date: 2026-13-01", "'2026-13-01' is no date"),
        ("rate: 7.8}", "rate: 0}", "this is no rate"),
        ("rate: 7.8}", "rate: 7.123456789}", "this is no rate"),
        (
            "rate: 7.8}",
            "rate: 7.8}, {date: 2026-01-01, currency: EUR, rate: 7}",
            "EUR has a rate of this day already",
        ),
        (
            "[{date: 2026-01-01, currency: EUR, rate: 7.8}]",
            "rates.csv",
            "the rates stand in a file",
        ),
        ("move_to: Rest", "move_to: North", "there is no other pool 'North'"),
        ("15 workdays", "15", "expected a number and a unit, found '15' - write 10 days"),
        ("Due: $act_date, Word", "Due: $act_dte, Word", "'$act_dte' - did you mean 'act_date'?"),
        ("word: x", "act_date: x", "'$act_date' is a date of the process - choose another"),
        ("at: start, to: owner", "to: owner", "a tell has one moment"),
        ("at: start, to: owner", "at: start, to: boss", "'boss' is not a value for this key"),
        ("left: 4 workdays", "left: 7 workdays", "nothing is left of 7 workdays by then"),
        ("Soon: {{ label }}", "Soon: {{ lable }}", "unknown name 'lable' in the note"),
        ("    wait: 7 workdays\n", "", "left: needs a wait - add wait: 7 workdays"),
        ("    wait: 7 workdays\n", "", "extend: needs a wait"),
        ("    wait: 7 workdays\n", "", "cancel: needs a wait"),
        ("return: auto", "archive: auto", "what a pool rule does in the end is return - write"),
        ("act: {archive: review}", "act: {}", "what a void rule does in the end is archive"),
        (
            "    note: true\n",
            "    act: {return: auto}\n",
            "a defect rule ends with its mark or its",
        ),
        ("unless: do_not_contact}\n  - void", "unless: nix}\n  - void", "unknown name 'nix'"),
        ("180 days, unless: do_not_contact", "180 days, unless: nix", "unknown name 'nix'"),
        ("last_response_at) < 7", "last_respnse_at) < 7", "did you mean 'last_response_at'?"),
        ("axis: conduct", "axis: quality", "'quality' is not a value for this key - valid here"),
        ("    axis: conduct\n", "", "the key 'axis' is missing"),
        (
            "{tag: late}",
            "{tag: late, status: Late}",
            "'late' and 'gone' would both write the status",
        ),
        (
            "{tag: late}",
            "{tag: late, field: {Due: x}}",
            "'late' and 'back' would both write the field 'Due'",
        ),
        ("refusals_count() > 5", "status = 'x'", "reads the status that its own rule writes"),
        ("id: eager-ones", "id: has-ordered", "the name 'has-ordered' belongs to the product"),
        ("task: wake", "task: valid-quote", "the name 'valid-quote' belongs to the product"),
        ("total: 3%", "total: {}", "this limit limits nothing - write 3%"),
        ("total: 3%", "total: 3%\n  share: 5%", "the limits of the whole stand here twice"),
        ("total: 3%", "total: true", "expected keys and values, found 'true'"),
        ("total: 3%", "total: '3'", "expected a share such as 5%, found '3'"),
        ("total: 3%", "total: ٣%", "expected a share such as 5%"),
        ("wave: 50", "wave: 0", "should be greater than or equal to 1"),
    ],
)
def test_a_problem_says_what_to_do(old: str, new: str, expected: str) -> None:
    found = problems(old, new)
    assert any(expected in line for line in found), found


def test_a_field_that_a_rule_writes_cannot_decide_it() -> None:
    found = problems(
        "when: invoices_due(365) >= 5 AND on_time_rate(365) < 0.6\n    mark: {tag: late}",
        "when: field('Size') > 5\n    mark: {tag: late, field: {Size: 1}}",
    )
    assert any("reads the field 'Size' that its own rule writes" in line for line in found)


def test_names_of_scores_and_tiers_are_known_although_the_shape_is_wrong() -> None:
    found = problems("name: p\n", "nme: p\n")
    assert found == ["p.yaml:2:1: unknown key 'nme' - did you mean 'name'?"]


def test_a_task_that_was_meant_as_work_is_a_key_twice() -> None:
    found = problems("    todo: {to: owner", "    task: {to: owner")
    assert found[0].startswith("p.yaml:36:5: the key 'task' stands here twice (line 34)")


def test_a_term_of_no_points_is_no_part_of_a_score(policy: Policy) -> None:
    given = "- {when: valuable, points: 2.5}"
    without = parse_policy(POLICY.replace(f"      {given}\n", ""))
    assert parse_policy(POLICY.replace("points: 2.5", "points: 0")).scores == without.scores
    assert policy.scores != without.scores
    with pytest.raises(FileProblems, match="compares two constants"):
        parse_policy(
            "policy: 2\nname: p\nscores: {none: {terms: [{when: open_deals > 1, points: 0}]}}\n"
            "rules: [{task: t, when: none > 1}]\n"
        )
