"""Policy files: what they mean, all their problems at once, and the hash of their meaning."""

from __future__ import annotations

import random
import re
from decimal import Decimal
from pathlib import Path

import pytest

from policies.errors import ConfigurationError, FileProblems
from policies.language.tree import Constant, walk
from policies.library import library_names, library_text
from policies.model import Limit
from policies.policy import load_policy, parse_policy, policy_json_schema
from tests.policies.policy_world import library_policy

POLICY = """\
policy: 2
name: 客户政策
language: zh-CN
params: {days: 180, share: 0.5, word: x, on: true}
define:
  b: a AND open_deals = 0
  a: days_since(last_activity_at) >= $days
protect:
  - {id: 战略客户, when: has_tag('战略客户'), from: [void], label: VIP}
rules:
  - void: 失联
    label: 失去联系
    reason: lost_contact
    when: b AND region = $word
    mark: {tag: 作废, status: 已作废}
    note: "{{ title }} {{ facts }}"
  - tier: 价值
    bands:
      - {name: A, when: orders_amount() > 1000, mark: {tag: A类}}
      - {name: B, when: else}
limits: {total: {share: 5%, count: 500}, rules: {失联: {share: 0.5%}, 价值: {count: 9}}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        parse_policy(text, "p.yaml")
    return [str(problem) for problem in raised.value.problems]


def changed(old: str, new: str) -> str:
    assert old in POLICY
    return POLICY.replace(old, new)


def test_a_policy_is_read() -> None:
    policy = parse_policy(POLICY)
    void, tier = policy.rules
    assert (policy.name, policy.language, policy.version) == ("客户政策", "zh-CN", 2)
    assert (void.id, void.kind, void.reason, void.note) == ("失联", "void", "lost_contact", True)
    assert (void.title, tier.title) == ("失去联系", "价值")
    assert void.template == "{{ title }} {{ facts }}"
    assert void.stages[0].name == "失联"
    assert (void.stages[0].tag, void.stages[0].status) == ("作废", "已作废")
    assert [stage.name for stage in tier.stages] == ["A", "B"]
    assert tier.stages[1].when is None
    assert (tier.note, tier.template, tier.reason) == (False, None, None)
    assert policy.managed_tags == {"作废", "A类"}
    assert policy.protections[0].kinds == {"void"}
    assert policy.limits.count == 500
    assert policy.limits.share == Decimal("0.05")
    assert policy.limits.rules == {"失联": Limit(None, Decimal("0.005")), "价值": Limit(9, None)}
    assert policy.rule("价值") is tier


def test_a_policy_without_status_marks_by_tags_alone() -> None:
    policy = parse_policy(POLICY).without_status()
    assert [(stage.tag, stage.status) for stage in policy.rules[0].stages] == [("作废", None)]


def test_a_rule_that_the_policy_has_no_more_has_nobody_in_it() -> None:
    policy = parse_policy(POLICY)
    retired = policy.with_retired(["旧规则"]).rule("旧规则")
    assert (retired.kind, retired.stages, retired.title) == ("retired", (), "旧规则")
    assert policy.with_retired([]).hash == policy.hash


def test_a_protection_is_from_everything_unless_it_says_less() -> None:
    policy = parse_policy(changed(", from: [void]", ""))
    assert policy.protections[0].kinds == {"pool", "void", "cleanout"}


def test_the_layout_between_the_brackets_of_a_metric_decides_nothing() -> None:
    def hash_of(text: str) -> str:
        rule = f'{{task: t, when: "orders_count({text}) > 1", mark: {{tag: x}}}}'
        return parse_policy(f"policy: 2\nname: p\nparams: {{m: 3}}\nrules:\n- {rule}\n").hash

    same = ["365, amount > 3 AND confirmed", "365,amount>$m and (confirmed)"]
    assert len(set(map(hash_of, same))) == 1
    assert len(set(map(hash_of, ["amount > 3", "amount > 4", "365, amount > 3", "365"]))) == 4


def test_the_hash_is_that_of_the_meaning() -> None:
    original = parse_policy(POLICY).hash
    same = [
        changed("name: 客户政策", "# comment\nname: other"),
        changed("b: a AND open_deals = 0", "b: (a) AND (open_deals=0)"),
        changed("$days", "180"),
        changed("0.5%", "0.50%"),
    ]
    different = [
        changed("days: 180", "days: 181"),
        changed("1000", "1000.5"),
        changed("战略客户')", "战略')"),
        changed("tag: A类", "tag: B类"),
        changed("失去联系", "联系失去"),
        changed("{{ title }} ", ""),
        changed("count: 500", "count: 501"),
        changed("0.5%", "0.6%"),
        changed("from: [void]", "from: [tier]"),
        changed("zh-CN", "en"),
    ]
    assert {parse_policy(text).hash for text in same} == {original}
    assert len({parse_policy(text).hash for text in different} | {original}) == 11


NUMBERS = """\
policy: 2
name: numbers
params: {few: 2, share: 0.5}
scores:
  warm: {terms: [{when: quotes_valid > 2, points: 2}, {of: open_deals * 2, weight: 2}]}
rules:
  - task: call
    when: orders_count(2, amount > 2) > $few AND open_deals / 2 > 2 AND warm >= 2
      AND rate(open_deals, quotes_valid, min_n 2, else 2) IN (2, 0.5) AND won_deals > -2
      AND if(open_deals > 2, 2, 0.5) < greatest(2, quotes_valid) AND quotes_valid <> 0
    mark: {field: {Grade: 2}}
"""


@pytest.mark.parametrize(("old", "new"), [("2", "2.0"), ("0", "0.0"), ("0.5", "0.50")])
def test_decimals_that_say_nothing_mean_nothing(old: str, new: str) -> None:
    head, body = NUMBERS.split("name: numbers")
    written = re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.])", new, body)
    assert written != body
    policy = parse_policy(f"{head}name: numbers{written}")
    assert policy.hash == parse_policy(NUMBERS).hash
    assert policy.hash != parse_policy(NUMBERS.replace("quotes_valid > 2", "quotes_valid > 3")).hash
    (when,) = policy.rule("call").conditions
    assert when.tree == parse_policy(NUMBERS).rule("call").conditions[0].tree


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("policy: 2", "polcy: 2", "p.yaml:1:1: unknown key 'polcy' - did you mean 'policy'?"),
        ("policy: 2", "polcy: 2", "p.yaml:1:1: the key 'policy' is missing"),
        ("policy: 2", "policy: '2'", "p.yaml:1:9: '2' is not a value for this key"),
        ("policy: 2", "policy: 0", "p.yaml:1:9: there is no version 0 - write policy: 2"),
        ("policy: 2", "policy: 3", "p.yaml:1:9: this file is written in version 3 of the policy"),
        ("name: 客户政策", "name: ''", "p.yaml:2:7: a name must not be empty"),
        ("name: 客户政策", "name: ' x'", "p.yaml:2:7: a name is one line"),
        ("name: 客户政策", "name: 5", "p.yaml:2:7: expected text, found '5'"),
        ("zh-CN", "zh-TW", "p.yaml:3:11: 'zh-TW' is not a value for this key - did you mean"),
        ("lost_contact", "lost_contct", "13: 'lost_contct' is not a value for this key - did you"),
        ("reason: lost_contact", "reson: lost_contact", "p.yaml:13:5: unknown key 'reson' - did"),
        ("{tag: 作废,", "{tga: 作废,", "p.yaml:15:12: unknown key 'tga' - did you mean 'tag'?"),
        ("{name: B, when: else}", "{name: B, whn: else}", "p.yaml:20:19: unknown key 'whn' - did"),
        ("void: 失联", "viod: 失联", "p.yaml:11:5: a rule begins with its kind"),
        ("- void: 失联", "- 5\n  - void: 失联", "p.yaml:11:5: a rule begins with its kind"),
        ("from: [void]", "from: void", "p.yaml:9:45: expected a list, found 'void'"),
        ("from: [void]", "from: []", "p.yaml:9:45: a protection is from something"),
        ("from: [void]", "from: [viod]", "p.yaml:9:46: 'viod' is not a value for this key"),
        ("share: 5%", "share: 5", "p.yaml:21:25: a share is at most 100% - write 5%"),
        ("share: 5%", "share: five", "p.yaml:21:25: expected a share such as 5%, found 'five'"),
        ("share: 5%", "share: true", "p.yaml:21:25: expected a number, found 'true'"),
        ("count: 500", "count: 5.5", "expected a whole number, found '5.5'"),
        ("{失联: {share", "{失连: {share", "p.yaml:21:50: there is no rule '失连'"),
        ("b: a AND", "b: b AND", "p.yaml:6:6: 'b' is defined by way of itself"),
        ("a: days", "a: b OR days", "p.yaml:6:6: 'b' is defined by way of itself"),
        ("last_activity_at", "last_activty_at", "p.yaml:7:17: unknown name 'last_activty_at'"),
        ("b AND region", "b AND regin", "p.yaml:14:17: unknown name 'regin' - did you mean"),
        ("b AND region = $word", "1 = $days OR true", "p.yaml:14:11: this compares two constants"),
        ("when: else", "when: 'true'", "p.yaml:20:25: this condition looks at no fact"),
        ("orders_amount() > 1000", "else", "p.yaml:19:25: only the last band can be 'else'"),
        ("{name: B", "{name: A", "p.yaml:20:16: the band 'A' stands here twice"),
        ("tier: 价值", "tier: 失联", "p.yaml:17:11: the name '失联' is taken (p.yaml, line 11)"),
        ("tier: 价值", "tier: 战略客户", "p.yaml:17:11: the name '战略客户' is taken (p.yaml"),
        ("tag: A类", "tag: 作废", "p.yaml:19:61: the tag '作废' is set elsewhere too - p.yaml"),
        ("{tag: 作废, status: 已作废}", "{}", "p.yaml:15:11: a void rule marks the customer"),
        (
            "has_tag('战略客户')",
            "has_tag('A类')",
            "p.yaml:9:22: the tag 'A类' is set by this policy",
        ),
        (
            "orders_amount() > 1000",
            "has_tag('作废')",
            "p.yaml:19:25: the tag '作废' is set by this",
        ),
        ("region = $word", "status = $word", "p.yaml:14:11: this condition reads the status that"),
        ("{{ facts }}", "{{ fcts }}", "p.yaml:16:27: unknown name 'fcts' in the note - did you"),
        ("{{ facts }}", "{{ facts", "p.yaml:16:12: the note cannot be read"),
        ("days: 180", "days: 1000000000000000", "p.yaml:4:16: this number is too large"),
        ("days: 180", "days: [1]", "p.yaml:4:16: expected"),
        ("policy: 2\n", "- policy: 2\n- ", "p.yaml:"),
    ],
)
def test_a_problem_has_its_place_and_its_help(old: str, new: str, expected: str) -> None:
    found = problems(changed(old, new))
    assert any(expected in line for line in found), found


def test_a_file_that_is_no_mapping_is_one_problem() -> None:
    assert problems("[]") == [
        "p.yaml:1:1: a policy file holds keys and values - begin with policy: 2"
    ]
    assert len(problems("")) == 1


def test_all_problems_come_at_once_even_when_the_shape_is_wrong() -> None:
    text = changed("policy: 2", "polcy: 2").replace("region", "regin").replace("a: days", "a: dys")
    found = "\n".join(problems(text))
    assert all(name in found for name in ("polcy", "regin", "dys_since"))
    assert problems("define: 5\nrules: {when: else}\nwhen: nix > 1") != []


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("{{ title | nope }}", "No filter named"),
        ("{{ ''.__class__ }}", "cannot be rendered"),
        ("{{ title.nope }}", "cannot be rendered"),
        ("{{ title + 1 }}", "cannot be rendered (TypeError)"),
        ("{% if title %}", "the note cannot be read"),
        ("{# nothing #}", "the note is empty"),
        ("x" * 4001, "longer than"),
        ("{{ range(9) }}", "unknown name 'range'"),
    ],
)
def test_a_note_that_could_fail_is_found_when_the_file_is_loaded(note: str, expected: str) -> None:
    found = problems(changed("{{ title }} {{ facts }}", note.replace('"', '\\"')))
    assert len(found) == 1
    assert expected in found[0]


def test_overrides_replace_parameters_of_the_same_kind(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, "utf-8")
    policy = load_policy(path, {"days": "90", "share": "1", "word": "y", "on": "false"})
    assert policy.params == {"days": 90, "share": 1, "word": "y", "on": False}
    tree = policy.rules[0].conditions[0].tree
    assert Constant(90) in set(walk(tree))
    for name, value in (("days", "x"), ("days", "true"), ("on", "1"), ("word", "5")):
        with pytest.raises(ConfigurationError, match="cannot be set to that"):
            load_policy(path, {name: value})
    with pytest.raises(ConfigurationError, match="no parameter 'dys'") as raised:
        load_policy(path, {"dys": "1"})
    assert raised.value.hint == "did you mean 'days'?"


def test_the_library_loads_and_names_its_nearest() -> None:
    assert "starter" in library_names()
    for name in library_names():
        policy = library_policy(name)
        assert "tier" in {rule.kind for rule in policy.rules}
        assert all(rule.stages[0].tag for rule in policy.rules)
        assert policy.warnings == ()
    with pytest.raises(ConfigurationError) as raised:
        library_text("startr")
    assert raised.value.hint == "did you mean 'starter'?"


def test_the_json_schema_knows_every_key() -> None:
    schema = policy_json_schema()
    assert set(schema["properties"]) >= {"policy", "name", "params", "define", "protect", "rules"}
    assert set(schema["$defs"]["VoidRuleShape"]["required"]) == {"void", "reason", "when"}
    assert "from" in schema["$defs"]["ProtectShape"]["properties"]


def test_broken_files_give_problems_and_nothing_else() -> None:
    chance = random.Random(20261122)  # noqa: S311 - a seed, so that a failure can be repeated
    signs = [*"\t'\"{}[]:（\n\x00", ": ", "- ", "&a ", "*a", "else", ""]
    texts = (POLICY, library_text("starter"))
    outcomes = []
    for _ in range(400):
        text = chance.choice(texts)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(text))
            width = chance.choice([0, 0, 1, 5, 30])
            text = text[:place] + chance.choice(signs) + text[place + width :]
        try:
            outcomes.append(len(parse_policy(text).rules))
        except FileProblems as refusal:
            outcomes.append(-len([item for item in refusal.problems if item.line >= 1]))
    assert min(outcomes) < 0 < max(outcomes)
    assert 0 not in outcomes


@pytest.mark.parametrize(
    "other",
    [
        "- {tier: t, bands: [{name: A, when: won_deals > 1, mark: {status: A}}]}",
        "- {tier: t, bands: [{name: A, when: else, mark: {tag: x, status: A}}]}",
    ],
)
def test_a_tier_and_another_rule_cannot_both_write_the_status(other: str) -> None:
    void = "- {void: v, reason: no_intent, when: won_deals > 2, mark: {tag: v, status: gone}}"
    with pytest.raises(FileProblems) as caught:
        parse_policy(f"policy: 2\nname: p\nrules:\n{void}\n{other}\n")
    problem = caught.value.problems[0]
    assert problem.line == 5
    assert "'t' and 'v' would both write the status" in problem.message


def test_void_rules_share_the_status_because_one_alone_holds() -> None:
    rules = "\n".join(
        f"- {{void: v{n}, reason: no_intent, when: won_deals > {n}, mark: {{status: gone}}}}"
        for n in range(2)
    )
    assert len(parse_policy(f"policy: 2\nname: p\nrules:\n{rules}\n").rules) == 2


@pytest.mark.parametrize("condition", ["-- nothing", "/* nothing */", "+"])
def test_a_condition_that_says_nothing_is_a_problem(condition: str) -> None:
    rule = f"- {{tier: t, bands: [{{name: A, when: '{condition}', mark: {{tag: A}}}}]}}"
    with pytest.raises(FileProblems, match="cannot be read"):
        parse_policy(f"policy: 2\nname: p\nrules:\n{rule}\n")


def test_a_name_of_a_protection_stands_once() -> None:
    found = problems(changed("rules:\n", "  - {id: 战略客户, when: open_deals > 0}\nrules:\n"))
    assert found == ["p.yaml:10:10: the name '战略客户' is taken (p.yaml, line 9) - choose another"]


def test_definitions_and_fields_of_the_wrong_shape_are_passed_over() -> None:
    text = changed("  b: a AND", "  c: [1]\n  b: a AND") + "fields: {X: [1], Y: text}\n"
    found = problems(text)
    assert len(found) == 2
    assert found[0] == "p.yaml:6:6: expected text, found a list"
    assert found[1].startswith("p.yaml:23:13: a list is not a value for this key - valid here")


def test_a_wrong_shape_hides_no_other_problem() -> None:
    found = "\n".join(
        problems(
            """policy: 2
name: p
rules:
  - {task: odd, when: status = 'x', whne: 5, cancel: dys > 1}
  - {task: a, when: status = 'x', note: "{{ titel }}"}
  - {task: a, when: regin = 'x'}
scores: {s: {terms: [{of: nix, weight: []}]}}
limits: {total: 5, owner: {per: year}}
clocks: {follow_up: kind = 'visti'}
calendar: {holidays: 中国}
"""
        )
    )
    places = re.findall(r"^p.yaml:(\d+:\d+):", found, re.MULTILINE)
    expected = "4:37 4:54 5:45 6:12 6:21 7:27 7:40 8:33 9:10 9:21 10:22"
    assert places == expected.split(), found


@pytest.mark.parametrize(
    "text",
    [
        "define: {quiet: [1]}\nrules: [{task: a, when: quiet}]",
        "defien: {quiet: won}\nrules: [{task: a, when: quiet}]",
        "params: {n: [1]}\nrules: [{task: a, when: open_deals > $n}]",
        "fields: {X: [1]}\nrules: [{task: a, when: field('X') = 'x'}]",
        "rules: [{task: a, whne: won}]\nlimits: {rules: {a: 5}}",
        "rules: [{tier: t, bands: 5}, {task: a, when: tier = 'x'}]",
        "rules: [{task: a, when: won}, 5]",
        "calendar: 5\nrules: [{task: a, when: workdays_since(last_activity_at) > 5}]",
        "calendar: {holidays: 5, freeze: [CN 春节]}\nrules: [{task: a, when: won}]",
        "money: {base: 5, rates: []}\nrules: [{task: a, when: won}]",
        "extend: other.yaml\nrules: [{task: a, when: quiet}]",
        "extends: [other.yaml]\nrules: [{task: a, when: quiet}]",
        "protect: [{id: a, off: false}]\nrules: [{task: b, when: won}]",
        "rules: 5",
    ],
)
def test_what_depends_on_a_refused_part_is_no_problem_of_its_own(text: str) -> None:
    text = text.replace("won", "open_deals > 0")
    shape = problems(f"policy: 2\nname: p\n{text}\n")
    assert not [item for item in shape if "unknown name" in item or "unknown param" in item]
    assert len(shape) <= 2, shape
