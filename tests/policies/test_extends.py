"""Policies upon policies: what is taken over, replaced or left out, and where problems stand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policies.errors import FileProblems
from policies.model import Limit, Policy
from policies.policy import load_policy, parse_policy

BASE = """\
policy: 2
name: base
language: en
params: {days: 180, other: 5}
define:
  quiet: days_since(last_activity_at) >= $days
scores:
  warm: {terms: [{when: quotes_valid > 0, points: 10}]}
clocks:
  response: direction = 'theirs'
fields: {Size: integer}
money: {base: CNY}
calendar: {holidays: CN, timezone: Asia/Shanghai}
group: [orders]
protect:
  - {id: vip, when: has_tag('vip')}
  - {id: warm-ones, when: warm > 5}
pools:
  North: {when: region = 'north'}
  Rest: {when: else}
rules:
  - {void: gone, reason: lost_contact, when: quiet, mark: {tag: gone}}
  - {pool: back, when: quiet, mark: {tag: back}}
limits: {total: 3%, owner: 5, rules: {gone: 1%, back: 7}, backlog: {wave: 50}}
"""


def laid(tmp_path: Path, own: str, base: str = BASE) -> Policy:
    (tmp_path / "base.yaml").write_text(base, "utf-8")
    path = tmp_path / "client" / "policy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"extends: ../base.yaml\npolicy: 2\n{own}", "utf-8")
    return load_policy(path)


def problems(tmp_path: Path, own: str, base: str = BASE) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        laid(tmp_path, own, base)
    return [str(problem) for problem in raised.value.problems]


def test_a_policy_that_adds_nothing_means_what_it_extends(tmp_path: Path) -> None:
    policy = laid(tmp_path, "")
    assert policy.hash == parse_policy(BASE).hash
    assert policy.name == "base"
    assert policy.language == "en"
    assert policy.sources == ("../base.yaml", "policy.yaml")


def test_the_same_meaning_has_the_same_hash_written_out_or_extended(tmp_path: Path) -> None:
    own = (
        "name: own\nparams: {days: 90}\nrules:\n"
        "- {void: gone, reason: no_intent, when: quiet, mark: {tag: x}}\n"
    )
    written = BASE.replace("days: 180", "days: 90").replace("lost_contact", "no_intent")
    written = written.replace("mark: {tag: gone}", "mark: {tag: x}")
    policy = laid(tmp_path, own)
    assert policy.hash == parse_policy(written).hash != parse_policy(BASE).hash
    assert (policy.name, policy.params) == ("own", {"days": 90, "other": 5})


def test_each_part_is_replaced_by_the_one_of_its_name(tmp_path: Path) -> None:
    policy = laid(
        tmp_path,
        "define: {quiet: days_since(last_order_at) >= $days}\n"
        "scores: {warm: {terms: [{of: open_deals, weight: 2}]}}\n"
        "clocks: {response: outcome = 'reached'}\n"
        "fields: {Size: number}\n"
        "money: {rates: [{date: 2026-01-01, currency: EUR, rate: 7.8}]}\n"
        "calendar: {holidays: DE-BY, freeze: [quarter-end -5..0]}\n"
        "group: [deals, orders]\n"
        "protect:\n- {id: vip, off: true}\n- {id: new, when: field('Size') > 5}\n"
        "pools:\n  South: {when: region = 'south'}\n  Rest: {when: region = 'x'}\n"
        "  All: {when: else}\n"
        "  North: {off: true}\n"
        "rules:\n- {void: gone, off: true}\n"
        "- {task: call, when: quiet, mark: {tag: call}}\n"
        "limits: {total: {count: 9}, rules: {back: 8}, backlog: {wave: 5, order: newest}}\n",
    )
    assert "last_order_at" in str(policy.rule("back").conditions[0].tree)
    assert [item.id for item in policy.protections[:2]] == ["warm-ones", "new"]
    assert policy.clocks == {"response": "outcome = 'reached'"}
    assert policy.calendar is not None
    assert policy.calendar.country == "DE-BY"
    assert policy.timezone == "Asia/Shanghai"
    assert policy.money is not None
    assert policy.money.base == "CNY"
    assert [item.rate for item in policy.money.rates] == [Decimal("7.8")]
    assert policy.group == {"deals", "orders"}
    assert [pool.name for pool in policy.pools] == ["South", "Rest", "All"]
    assert [rule.id for rule in policy.rules] == ["back", "call"]
    assert [stage.name for stage in policy.rule("back").stages] == ["South", "Rest", "All"]
    limits = policy.limits
    assert (limits.count, limits.share, dict(limits.rules)) == (9, None, {"back": Limit(8, None)})
    assert limits.owner is not None
    assert limits.owner.count == 5
    assert limits.backlog is not None
    assert (limits.backlog.wave, limits.backlog.order) == (5, "newest")


def test_overrides_come_last(tmp_path: Path) -> None:
    laid(tmp_path, "params: {days: 90}")
    policy = load_policy(tmp_path / "client" / "policy.yaml", {"days": "30"})
    assert policy.params["days"] == 30
    assert policy.hash == parse_policy(BASE.replace("days: 180", "days: 30")).hash


def test_a_problem_is_reported_in_the_file_in_which_it_stands(tmp_path: Path) -> None:
    found = problems(tmp_path, "define: {quiet: nix > 1, more: region = nix}\n", BASE + "x: 1\n")
    assert any(line.startswith("../base.yaml:25:1: unknown key 'x'") for line in found)
    found = problems(tmp_path, "define: {warm: open_deals > 1}\nparams: {days: x}\n")
    assert any(line.startswith("../base.yaml:6:10: ") for line in found), found
    assert any("the name 'warm' is taken (policy.yaml, line 3)" in line for line in found), found


def test_two_files_agree_on_names_and_tags(tmp_path: Path) -> None:
    found = problems(tmp_path, "rules:\n- {task: vip, when: open_deals = 0, mark: {tag: gone}}\n")
    assert found == [
        "policy.yaml:4:10: the name 'vip' is taken (../base.yaml, line 16) - choose another",
        "policy.yaml:4:49: the tag 'gone' is set elsewhere too - ../base.yaml, line 22",
    ]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (
            "rules: [{void: nix, off: true}]",
            "policy.yaml:3:16: the extended policy has no rule 'nix' to leave out",
        ),
        (
            "protect: [{id: vp, off: true}]",
            "policy.yaml:3:16: the extended policy has no protection 'vp' to leave out - did",
        ),
        (
            "pools: {Nrth: {off: true}}",
            "policy.yaml:3:9: the extended policy has no pool 'Nrth' to leave out - did you",
        ),
        (
            "rules: [{pool: gone, off: true}]",
            "policy.yaml:3:16: rule 'gone' is a void rule, not a pool rule - write {void: gone, o",
        ),
        (
            "rules: [{void: gone, tier: value, off: true}]",
            "policy.yaml:3:28: one rule is left out here, and this names another - write it as",
        ),
        ("rules: [{void: gone, off: false}]", "is not a value for this key"),
        ("rules: [{off: true}]", "a rule begins with its kind and its name"),
        ("pools: {Other: {when: else}}", "policy.yaml:3:23: only the last pool can be 'else'"),
        ("limits: {rules: {nix: 5}}", "policy.yaml:3:18: there is no rule 'nix'"),
    ],
)
def test_what_cannot_be_left_out_or_added_is_named(own: str, expected: str, tmp_path: Path) -> None:
    found = problems(tmp_path, own)
    assert any(expected in line for line in found), found


def test_only_what_is_extended_can_be_left_out() -> None:
    text = BASE.replace("- {id: vip, when: has_tag('vip')}", "- {id: vip, off: true}")
    with pytest.raises(FileProblems, match="nothing can be left out here"):
        parse_policy(text)


def test_an_older_policy_can_be_extended(tmp_path: Path) -> None:
    base = (
        "policy: 1\nname: old\nlimits: {count: 5}\n"
        "rules:\n- {tier: t, bands: [{name: A, when: else}]}\n"
    )
    policy = laid(tmp_path, "name: new", base)
    assert policy.limits.count == 5
    assert [warning.file for warning in policy.warnings] == ["../base.yaml"]


@pytest.mark.parametrize(
    ("extends", "expected"),
    [
        ("nix.yaml", "p.yaml:1:10: cannot read nix.yaml: No such file or directory"),
        ("/etc/policy.yaml", "p.yaml:1:10: a policy extends a file by a relative path - write"),
        ("' '", "p.yaml:1:10: a policy extends a file by a relative path"),
        ("5", "p.yaml:1:10: expected text, found '5'"),
        ("p.yaml", "p.yaml:1:10: 'p.yaml' extends itself"),
        ("loop.yaml", "loop.yaml:1:10: './p.yaml' extends itself"),
        ("broken.yaml", "broken.yaml:1:5: this is not readable YAML"),
        ("list.yaml", "list.yaml:1:1: a policy file holds keys and values"),
        ("newer.yaml", "newer.yaml:1:9: this file is written in version 9"),
        ("library/b2b-manufacturing", "is named with its version - library/b2b-manufacturing@1"),
        ("library/b2b-manufacturing@7", "is not in the library in version 7 - library/b2b-manu"),
        (
            "library/b2b-manufactring@1",
            "did you mean 'library/b2b-manufacturing@1'?",
        ),
        ("library/starter", "the library has no policy 'starter' to build upon"),
        ("library/startr", "library/starter is to start from, `highseas init` copies it; to build"),
        ("library/qqqqqq", "valid here: library/b2b-manufacturing"),
        ("starter", "; library/starter is to start from, `highseas init` copies it"),
        ("b2b-manufactring", "; did you mean 'library/b2b-manufacturing@1'?"),
    ],
)
def test_a_file_that_cannot_be_extended_is_named(
    extends: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "loop.yaml").write_text("extends: ./p.yaml\npolicy: 2\n", "utf-8")
    (tmp_path / "broken.yaml").write_text("a: [", "utf-8")
    (tmp_path / "list.yaml").write_text("- a", "utf-8")
    (tmp_path / "newer.yaml").write_text("policy: 9", "utf-8")
    path = tmp_path / "p.yaml"
    path.write_text(f"extends: {extends}\npolicy: 2\nname: p\n", "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    assert any(expected in str(item) for item in raised.value.problems), raised.value.problems


def test_a_text_extends_the_library_and_files_of_its_folder(tmp_path: Path) -> None:
    own = "extends: {}\npolicy: 2\nname: p\n"
    policy = parse_policy(own.format("library/b2b-manufacturing@1"))
    assert policy.sources == ("library/b2b-manufacturing@1.yaml", "policy.yaml")
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    assert parse_policy(own.format("base.yaml"), folder=tmp_path).params["days"] == 180
    with pytest.raises(FileProblems, match="only a policy in a file can extend another file"):
        parse_policy(own.format("base.yaml"))
    with pytest.raises(FileProblems, match="did you mean 'library/b2b-manufacturing@1'"):
        parse_policy(own.format("b2b-manufacturing"))


# Whatever a policy can name, as if the file that it extends had it.
UPON = """\
params: {own: 5}
define: {mine: "theirs_too > $unknown"}
calendar: {freeze: [春节 -5..+7]}
money: {rates: rates.csv}
limits: {rules: {not-here: 5}}
protect:
  - {id: not-here-either, off: true}
  - {id: own, when: "tier = 'A' AND tier('value') = 'A' AND field('X') > 5 AND \\"他们的\\" > 1"}
pools:
  Own: {when: workdays_since(owned_since) > 4, unclaimed: {after: 3 days, move_to: Theirs}}
  Gone: {off: true}
rules:
  - {void: gone, off: true}
  - {task: call, when: theirs AND orders_count($unknown) > 0, mark: {field: {A: $unknown}}}
"""


@pytest.mark.parametrize("extends", ["nix.yaml", "broken.yaml", "newer.yaml", "middle.yaml", "5"])
def test_what_may_stand_in_a_file_that_cannot_be_read_is_no_problem(
    extends: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("a: [", "utf-8")
    (tmp_path / "newer.yaml").write_text("policy: 9", "utf-8")
    middle = "policy: 2\nextends: nix.yaml\nrules:\n- {task: t, when: theirs}\n"
    (tmp_path / "middle.yaml").write_text(middle, "utf-8")
    path = tmp_path / "policy.yaml"
    path.write_text(f"extends: {extends}\npolicy: 2\n{UPON}", "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    (found,) = raised.value.problems
    assert (found.file == "policy.yaml") == (extends in {"nix.yaml", "5"})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("theirs_too > $unknown", "open_deals > 'a'", "policy.yaml:4:"),
        ("theirs AND", "open_deals > 'a' AND", "open_deals (number) is compared with 'a' (text)"),
        ("theirs AND", "unknown_call(3) AND", "unknown function 'unknown_call'"),
        ("theirs AND", "region AND", "region is text, not a condition"),
        ("tier('value')", "tier('')", "tier takes the name of a tier rule in quotes"),
        ("rates.csv", "[{date: x, currency: EUR, rate: 7.8}]", "'x' is no date"),
        ("task: call", "task: own", "the name 'own' is taken"),
        ("task: call", "void: call", "the key 'reason' is missing"),
        ("params:", "parms:", "unknown key 'parms'"),
        ("own: 5", "own: 5, own: 6", "the key 'own' stands here twice"),
        ("when: theirs AND", "when: theirs AMD", "unexpected"),
    ],
)
def test_a_file_that_cannot_be_read_hides_no_other_problem(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    assert old in UPON
    path = tmp_path / "policy.yaml"
    path.write_text(f"extends: nix.yaml\npolicy: 2\n{UPON.replace(old, new)}", "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    found = [str(item) for item in raised.value.problems]
    is_unreadable = "twice" in expected
    assert any("cannot read nix.yaml" in line for line in found) is not is_unreadable
    assert any(expected in line for line in found), found
    assert len(found) == 2 - is_unreadable, found


def test_somebody_has_to_give_a_name_and_a_rule(tmp_path: Path) -> None:
    found = problems(tmp_path, "language: en\n", "policy: 2\n")
    assert any("the key 'name' is missing" in line for line in found)
    assert any("a policy has at least one rule" in line for line in found)


RATES = "date,currency,rate\n2026-01-01,EUR,7.8\n"


def test_rates_stand_in_a_file_beside_the_policy_that_names_it(tmp_path: Path) -> None:
    base = BASE.replace("{base: CNY}", "{base: CNY, rates: rates.csv}")
    (tmp_path / "rates.csv").write_text(RATES, "utf-8")
    policy = laid(tmp_path, "", base)
    assert policy.money is not None
    assert [item.rate for item in policy.money.rates] == [Decimal("7.8")]
    inline = "{base: CNY, rates: [{date: 2026-01-01, currency: EUR, rate: 7.80}]}"
    assert policy.hash == parse_policy(BASE.replace("{base: CNY}", inline)).hash


@pytest.mark.parametrize(
    ("rates", "content", "expected"),
    [
        ("nix.csv", b"", "policy.yaml:3:16: cannot read nix.csv: No such file"),
        ("/etc/rates.csv", b"", "policy.yaml:3:16: the rates stand in a file beside the policy"),
        ("rates.csv", RATES.replace("7.8", "x").encode(), "rates.csv:2:1: 'x' is no rate"),
        ("rates.csv", b"a\n\xff", "rates.csv:2:1: this file is not UTF-8 text"),
        ("'a\\0b'", b"", "policy.yaml:3:16: cannot read"),
    ],
)
def test_rates_that_cannot_be_read_are_named(
    rates: str, content: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "rates.csv").write_bytes(content)
    found = problems(tmp_path, f"money: {{rates: {rates}}}\n")
    assert any(line.startswith(expected) for line in found), found


@pytest.mark.parametrize(
    ("money", "refused"),
    [
        ("{base: JPY}", True),
        ("{base: CNY}", False),
        ("{base: JPY, rates: []}", False),
        ("{rates: []}", False),
    ],
)
def test_rates_do_not_pass_over_to_another_base_currency(
    money: str, refused: bool, tmp_path: Path
) -> None:
    rates = "{base: CNY, rates: [{date: 2026-01-01, currency: EUR, rate: 7.8}]}"
    base = BASE.replace("{base: CNY}", rates)
    if not refused:
        assert laid(tmp_path, f"money: {money}\n", base).money is not None
        return
    (found,) = problems(tmp_path, f"money: {money}\n", base)
    assert found.startswith("policy.yaml:3:15: the rates of the extended policy are in CNY (")
    assert found.endswith("give rates: in JPY beside it")
