"""Edges that no case covers: each small change of a rule has to be noticed by a case."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from policies.authoring.boundaries import uncovered
from policies.authoring.cases import read_cases
from policies.authoring.mutants import mutants
from policies.policy import parse_policy
from policies.yaml_source import read_yaml

HEAD = "policy: 2\nname: p\n"
CASES = "cases: 1\nas_of: 2026-06-01\ntimezone: Asia/Shanghai\n"


def gaps(policy_text: str, *case_texts: str, untested: Sequence[str] = ()) -> list[str]:
    policy = parse_policy(HEAD + policy_text)
    files = [
        (policy, read_cases(read_yaml(CASES + text, f"{number}.yaml"), policy))
        for number, text in enumerate(case_texts)
    ]
    return [
        str(gap.problem).removeprefix("policy.yaml:")
        for gap in uncovered(policy, files, untested=untested)
    ]


def task(when: str, *customers: str) -> list[str]:
    """Of a policy with one rule; each customer ends with what is expected of it."""
    lines = "".join(f"  - {{id: c{number}, {text}}}\n" for number, text in enumerate(customers))
    return gaps(
        f'rules:\n  - {{task: t, when: "{when}", mark: {{tag: t}}}}\n',
        *([f"customers:\n{lines}"] if customers else []),
    )


def orders(count: int, answer: str, at: str = "3 days ago") -> str:
    return f"orders: [{{at: {at}, times: {count}}}], expect: {{t: {answer}}}"


def test_an_edge_without_a_case_names_both_sides_of_it() -> None:
    assert task("orders_count() >= 5", orders(9, "yes"), orders(1, "no")) == [
        "4:40: no case covers the edge of 5 in 't' - add a customer with orders_count() = 5 "
        "and one with orders_count() = 4"
    ]


def test_an_edge_between_two_whole_numbers_asks_for_both() -> None:
    assert task("orders_count() > 2.5") == [
        "4:39: no case covers the edge of 2.5 in 't' - add a customer with orders_count() = 3 "
        "and one with orders_count() = 2"
    ]


def test_what_an_earlier_band_has_decided_is_no_edge_of_a_later_one() -> None:
    rule = """rules:
  - tier: t
    bands:
      - {name: A, when: orders_count() >= 10}
      - {name: B, when: orders_count() >= 5 AND orders_count() < 10}
      - {name: C, when: else}
"""
    lines = "".join(
        f"  - {{id: c{count}, {orders(count, answer)}}}\n"
        for count, answer in ((10, "A"), (9, "B"), (5, "B"), (4, "C"))
    )
    assert gaps(rule, f"customers:\n{lines}") == []
    fewer = "".join(line for line in lines.splitlines(keepends=True) if "c9" not in line)
    missing = gaps(rule, f"customers:\n{fewer}")
    assert len(missing) == 2
    assert all("add a customer with orders_count() = 9" in item for item in missing)


def test_an_edge_that_another_condition_makes_moot_is_not_asked_for() -> None:
    covered = [orders(1, "yes"), "expect: {t: no}"]
    assert task("orders_count() > 0 AND orders_count() >= 1", *covered) == []


def test_a_day_to_come_is_named_as_it_was_written() -> None:
    rule = "rules:\n  - {task: t, when: days_until(field('R')) > 3, mark: {tag: t}}\n"
    assert gaps(f"fields: {{R: date}}\n{rule}") == [
        "5:46: no case covers the edge of 3 in 't' - add a customer with "
        "days_until(field('R')) = 3 and one with days_until(field('R')) = 4"
    ]


def test_an_edge_with_a_case_on_one_side_asks_for_the_other() -> None:
    assert task("orders_count() >= 5", orders(5, "yes"), orders(1, "no")) == [
        "4:40: no case covers the edge of 5 in 't' - add a customer with orders_count() = 4"
    ]


@pytest.mark.parametrize(
    ("when", "counts"),
    [
        ("orders_count() >= 5", (5, 4)),
        ("orders_count() > 5", (5, 6)),
        ("orders_count() <= 5", (5, 6)),
        ("orders_count() < 5", (5, 4)),
        ("5 <= orders_count()", (5, 4)),
        ("5 > orders_count()", (5, 4)),
        ("orders_count() = 5", (5, 6, 4)),
        ("orders_count() > 2.5", (2, 3)),
        ("orders_count() >= 2.5", (2, 3)),
        ("orders_count() <= 2.5", (2, 3)),
        ("orders_count() < 2.5", (2, 3)),
        ("-orders_count() < -3", (3, 4)),
        ("orders_count() <> 5", (5,)),
        ("orders_count() = 0", (0, 1)),
        ("orders_count() IN (2, 3)", (2, 3)),
        ("orders_count() * 2 > 9", (4, 5)),
        ("orders_count() BETWEEN 3 AND 5", (2, 3, 5, 6)),
    ],
)
def test_an_edge_with_cases_on_both_sides_is_covered(when: str, counts: Sequence[int]) -> None:
    covered = [orders(count, "yes") if count else "expect: {t: no}" for count in counts]
    found = task(when, *covered)
    assert [item for item in found if "edge of 2 " not in item] == []
    fewer = task(when, *covered[1:]) if len(covered) > 1 else task(when)
    assert fewer != []


def test_only_what_a_case_expects_counts() -> None:
    text = "customers:\n" + "".join(
        f"  - {{id: c{count}, orders: [{{at: today, times: {count}}}]}}\n" for count in (4, 5)
    )
    rule = "rules:\n  - {task: t, when: orders_count() >= 5, mark: {tag: t}}\n"
    assert len(gaps(rule, text)) == 1
    assert gaps(rule, text, untested=["t"]) == []


def test_a_customer_who_did_not_exist_yet_notices_nothing() -> None:
    assert task("orders_count() >= 5", "is: {created: in 1 day}, expect: {t: no}") != []


def test_the_edge_of_a_window() -> None:
    when = "orders_count(365) > 0"
    one, other = orders(1, "yes", "365 days ago"), orders(1, "no", "366 days ago")
    two = orders(2, "yes")
    assert task(when, one, other, two) == []
    assert task(when, two, "expect: {t: no}") == [
        "4:35: no case covers the edge of 365 in 't' - add a customer with a row in orders "
        "366 days ago and one with a row in orders 365 days ago",
        "4:42: no case covers the edge of 0 in 't' - add a customer with orders_count(365) = 1",
    ]


def test_a_window_of_one_day_has_no_shorter_one() -> None:
    assert len([item for item in task("orders_count(1) > 0") if "edge of 1 " in item]) == 1


def test_the_windows_of_a_rate_move_together() -> None:
    def invoices(due: int, late: int, answer: str) -> str:
        on_time = "{at: 400 days ago, due: 100 days ago, settled: 101 days ago, times: 3}"
        edge = f"{{at: 500 days ago, due: {due} days ago, settled: {late} days ago, times: 2}}"
        return f"invoices: [{on_time}, {edge}], expect: {{t: {answer}}}"

    when = "on_time_rate(365) < 0.7"
    found = task(when, invoices(365, 300, "yes"), invoices(366, 300, "undecided"))
    assert found == [
        "4:42: no case covers the edge of 0.7 in 't' - add a customer with on_time_rate(365) = 0.7"
    ]
    assert "with a row in invoices whose due (due_on) is 366 days ago" in task(when)[0]


def test_what_a_customer_needs_is_told_in_the_words_of_the_language() -> None:
    policy = parse_policy(
        "policy: 2\nname: p\nrules:\n"
        "  - {task: t, when: orders_count(90) > 0 OR on_time_rate(365) < 0.7, mark: {tag: t}}\n"
    )
    told = {
        language: "\n".join(str(gap.problem) for gap in uncovered(policy, (), language=language))
        for language in ("en", "de", "zh-CN")
    }
    assert "with a row in orders 91 days ago" in told["en"]
    assert "91 天前有一条订单记录" in told["zh-CN"]
    assert "有一条应收单记录，其到期日（due_on）在 366 天前" in told["zh-CN"]
    assert "mit einem Eintrag unter „Aufträge“ vor 91 Tagen" in told["de"]


def test_gaps_that_read_the_same_are_told_once() -> None:
    long = "confirmed AND currency = 'CNY' AND amount <> 7 AND amount <> 8 AND amount <> 9"
    parts = (f"orders_count(365, {long} AND amount > {least}) > 0" for least in (10, 20, 30))
    found = task(" AND ".join(parts))
    assert len(found) == len(set(found))


def test_a_number_of_a_calculation() -> None:
    when = "days_since(last_order_at) > greatest(100, 2 * returns_count())"
    (first, second) = task(when, "orders: [{at: 1 day ago}], expect: {t: no}")[-2:]
    assert first.startswith("4:59: no case covers the edge of 100 in 't' - add a customer whose ")
    assert second.endswith("differs between 2 and 3 and one whose answer differs between 2 and 1")


def test_parts_that_no_case_needs() -> None:
    when = "orders_count() > 0 AND (has_tag('a') OR has_tag('b')) AND region IN ('x', 'y')"
    covered = [
        "is: {tags: [a], region: x}, orders: [{at: today 00:00}], expect: {t: no}",
        "is: {tags: [a], region: x}, orders: [{at: 1 day ago}], expect: {t: yes}",
        "is: {tags: [b], region: y}, orders: [{at: 1 day ago, times: 2}], expect: {t: yes}",
        "is: {region: y}, orders: [{at: 1 day ago}], expect: {t: no}",
        "is: {tags: [b], region: z}, orders: [{at: 1 day ago}], expect: {t: no}",
    ]
    assert task(when, *covered) == []
    assert task(when, *covered[:2], *covered[3:]) == [
        "4:71: no case needs this part of 't': has_tag('b') - "
        "add a customer for whom it alone is true",
        "4:97: no case needs this part of 't': 'y' - add a customer with region = 'y'",
    ]
    assert task(when, *covered[:4]) == [
        "4:80: no case needs this part of 't': region IN ('x', 'y') - "
        "add a customer for whom it alone is false"
    ]


def test_what_a_definition_says_is_covered_once_for_all_rules() -> None:
    text = """\
define: {busy: open_deals > 3}
rules:
  - {task: one, when: busy AND has_tag('x'), mark: {tag: t}}
  - {task: two, when: busy AND has_tag('y'), mark: {tag: u}}
"""
    cases = """\
customers:
  - {id: a, is: {tags: [x]}, deals: [{at: 1 day ago, state: open, times: 3}], expect: {one: no}}
  - {id: b, is: {tags: [x]}, deals: [{at: 1 day ago, state: open, times: 4}], expect: {one: yes}}
  - {id: c, is: {tags: [y]}, deals: [{at: 1 day ago, state: open, times: 5}], expect: {two: yes}}
  - {id: d, deals: [{at: 1 day ago, state: open, times: 5}], expect: {one: no, two: no}}
  - {id: e, is: {tags: [y]}, deals: [{at: 1 day ago, state: open, times: 1}], expect: {two: no}}
"""
    assert gaps(text, cases) == []
    found = gaps(text, cases.replace("times: 3", "times: 2"))
    assert found == [
        "3:29: no case covers the edge of 3 in 'one' - add a customer with open_deals = 3"
    ]


def test_a_parameter_is_found_where_it_is_used() -> None:
    text = (
        "params: {many: 7}\nrules:\n  - {task: t, when: orders_count() >= $many, mark: {tag: t}}\n"
    )
    (gap,) = gaps(text)
    assert gap.startswith("5:39: no case covers the edge of 7 in 't'")


def test_a_number_that_is_written_in_another_form_is_found_at_its_condition() -> None:
    (gap,) = task("orders_amount() > 1.50")
    assert gap.startswith("4:21: no case covers the edge of 1.5 in 't'")


def test_case_files_with_parameters_of_their_own_count() -> None:
    text = HEAD + (
        "params: {many: 7}\nrules:\n  - {task: t, when: orders_count() >= $many, mark: {tag: t}}\n"
    )
    policy = parse_policy(text)
    own = parse_policy(text.replace("7", "2"))
    lines = "".join(f"  - {{id: c{n}, {orders(n, 'yes')}}}\n" for n in (1, 2))
    file = read_cases(read_yaml(f"{CASES}customers:\n{lines}", "own.yaml"), policy)
    assert uncovered(policy, [(own, file)]) == ()
    assert len(uncovered(policy, [(policy, file)])) == 1


def test_bands_pools_and_protections() -> None:
    text = """\
protect:
  - {id: new, when: days_since(created_at) < 30, from: [pool]}
pools:
  east: {when: region = 'x' AND open_deals < 4}
  rest: {when: else}
rules:
  - {pool: p, when: open_deals > 1, mark: {tag: p}}
  - tier: w
    bands: [{name: A, when: orders_count() > 1}, {name: B, when: else}]
"""
    found = [item.partition(" - ")[0] for item in gaps(text)]
    assert "4:46: no case covers the edge of 30 in 'new'" in found
    assert "6:46: no case covers the edge of 4 in 'p'" in found
    assert "9:34: no case covers the edge of 1 in 'p'" in found
    assert "11:46: no case covers the edge of 1 in 'w'" in found
    assert len([item for item in found if "edge of 1 in 'p'" in item]) == 1
    cases = """\
customers:
  - {id: a, is: {created: 30 days ago}, orders: [{at: 1 day ago, times: 1}],
     expect: {new: no, w: B}}
  - {id: b, is: {created: 29 days ago}, orders: [{at: 1 day ago, times: 2}],
     expect: {new: protects, w: A}}
"""
    covered = [item.partition(" - ")[0] for item in gaps(text, cases)]
    assert [item for item in covered if "'w'" in item or "'new'" in item] == []


def test_the_bands_of_another_rule_are_covered_there() -> None:
    text = """\
rules:
  - {task: t, when: "tier('w') = 'A' AND if(open_deals > 3, 1, 2) = 2", mark: {tag: t}}
  - tier: w
    bands: [{name: A, when: orders_count() > 1}, {name: B, when: else}]
"""
    found = [item.partition(" - ")[0] for item in gaps(text)]
    assert [item for item in found if "edge of" in item and "in 't'" in item] == [
        "4:58: no case covers the edge of 3 in 't'"
    ]
    assert "6:46: no case covers the edge of 1 in 'w'" in found


def test_changes_that_nobody_could_notice_are_none() -> None:
    policy = parse_policy(
        HEAD + "rules:\n  - {task: t, when: orders_count() <= 0 AND open_deals >= 0 AND "
        "orders_amount() > 1.50, mark: {tag: t}}\n"
    )
    changes = [item.change for item in mutants(policy) if item.change.edge]
    edges = [(change.edge, change.asks.told("en")) for change in changes]
    assert edges == [
        ("0", "with orders_count() = 0"),
        ("0", "with orders_count() = 1"),
        ("0", "with open_deals = 0"),
        ("1.5", "with orders_amount() = 1.5"),
    ]


RANKED = """\
protect:
  - {id: big, when: "abc(2 * orders_amount(365)) = 'A'", from: [pool]}
rules:
  - tier: w
    bands:
      - {name: A, when: "abc(orders_amount(365)) = 'A'"}
      - {name: B, when: "has_tag('b') AND quintile(orders_amount(366)) = 5"}
      - {name: C, when: else}
  - {task: t, when: has_tag('x'), mark: {tag: t}}
"""
RANKED_CASES = """\
thresholds:
  abc(orders_amount(365)): [9000, 500]
  abc(2 * orders_amount(365)): [18000, 500]
  quintile(orders_amount(366)): [1, 2, 3, 4]
customers:
  - {id: in, orders: [{at: 365 days ago, amount: 9000}], expect: {w: A, big: yes}}
  - {id: before, orders: [{at: 366 days ago, amount: 9000}], expect: {w: C, big: no}}
"""


def test_given_thresholds_hold_for_a_rank_with_another_window() -> None:
    found = gaps(RANKED, RANKED_CASES)
    assert [item for item in found if "edge of 365" in item] == []
    inside = RANKED_CASES.partition("  - {id: before")[0]
    asked = [item for item in gaps(RANKED, inside) if "edge of 365 in 'w'" in item]
    assert [item.partition(" - ")[2] for item in asked] == [
        "add a customer with a row in orders 366 days ago"
    ]


def test_given_thresholds_of_a_rule_without_a_case_do_no_harm() -> None:
    cases = RANKED_CASES.partition("  - {id: in")[0]
    cases += "  - {id: x, is: {tags: [x]}, expect: {t: yes}}\n"
    assert [item for item in gaps(RANKED, cases, untested=["w", "big"]) if "'t'" in item] == []


def test_twenty_rules_and_fifty_customers_are_quick() -> None:
    rules = "".join(
        f"  - {{task: t{n}, when: orders_count({n + 30}) > {n} AND days_since(last_order_at) > {n}"
        f" AND on_time_rate({n + 60}) < 0.5 AND NOT has_tag('x{n}'), mark: {{tag: t{n}}}}}\n"
        for n in range(20)
    )
    expect = ", ".join(f"t{n}: no" for n in range(20))
    customers = "".join(
        f"  - {{id: c{n}, orders: [{{at: {n + 1} days ago, times: {n + 1}}}], "
        f"invoices: [{{at: 90 days ago, due: 20 days ago, times: 5}}], expect: {{{expect}}}}}\n"
        for n in range(50)
    )
    start = time.perf_counter()
    assert gaps(f"rules:\n{rules}", f"customers:\n{customers}")
    assert time.perf_counter() - start < 10
