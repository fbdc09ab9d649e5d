"""Mistakes that people made in a trial: each answer has the place, the fact and the fix."""

from __future__ import annotations

import pytest

from policies.errors import FileProblems
from policies.language.vocabulary import Type
from policies.policy import parse_policy

RULE = "policy: 2\nname: p\nrules:\n- task: t\n"
GOOD = f"{RULE}  when: open_deals > 0\n  mark: {{tag: x}}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        parse_policy(text, "p")
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("policy： 2\nname: p\n", "p:1:7: the sign ： means nothing here - write ': ' with"),
        ("# p\npolicy：2\n\n# p\nname: p\n", "p:2:7: the sign ： means nothing here - write ': '"),
        ("policy：2", "p:1:1: a policy file holds keys and values - the sign ： means nothing"),
        (f"a： {'x' * 2_000}\nb: 1", "p:2:2: a second ': ' stands in this value - put"),
        (
            f"{RULE}  when: '华东' = region",
            "p:5:14: text stands behind the closing quote - put",
        ),
        (f'{RULE}  when: "华东" = region', "in double quotes, and text in it in single ones"),
        (
            f"{RULE}  when: !open_deals",
            "p:5:9: the tag !open_deals is not allowed here - write",
        ),
        (f"{RULE}  mark: {{tag: #x}}\n", 'p:5:15: a comment begins here - quote it: "#x"'),
    ],
)
def test_what_is_no_yaml_is_named_where_the_mistake_was_made(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert expected in found


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("“待跟进”", "待跟进"),
        ("”待跟进“", "待跟进"),
        ("„wichtig“", "wichtig"),
        ("‘x’", "x"),
        ("「待跟进」", "待跟进"),
    ],
)
def test_typographic_quotes_around_a_value_are_no_quotes(value: str, meant: str) -> None:
    text = f"{RULE}  label: {value}\n  when: open_deals > 0\n  mark: {{tag: {value}}}\n"
    fact = "these quotes would be part of the text"
    assert problems(text) == [
        f'p:5:10: {fact} - write "{meant}"',
        f'p:7:15: {fact} - write "{meant}"',
    ]


@pytest.mark.parametrize("value", ["'“x”'", "“A”和“B”", "“A”类", "“”"])
def test_quotes_that_are_meant_stay(value: str) -> None:
    policy = parse_policy(GOOD.replace("{tag: x}", f"{{tag: {value}}}"))
    assert policy.rules[0].stages[0].tag == value.strip("'")


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("  mark:\n    tag: #x\n    status: y\n", "7:10"),
        ("  mark:\n    tag:  #x\n", "7:11"),
        ("  label: #x\n  mark: {tag: x}\n", "6:10"),
    ],
)
def test_a_value_that_begins_with_a_hash_is_a_comment(lines: str, place: str) -> None:
    fact = 'nothing but a comment stands here - quote it: "#x"'
    assert problems(f"{RULE}  when: open_deals > 0\n{lines}") == [f"p:{place}: {fact}"]


def test_a_missing_value_with_a_comment_is_reported_once() -> None:
    text = f"{RULE}  when: #open\n  mark: {{tag: x}}\n"
    assert problems(text) == ['p:5:9: nothing but a comment stands here - quote it: "#open"']


def test_comments_proper_are_left_alone() -> None:
    text = GOOD.replace("mark: {tag: x}", "mark: # x\n    tag: x\n    status: # y")
    assert parse_policy(text).rules[0].stages[0].status is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{GOOD}  tell: {{at: start, to: owner}}\n", "p:7:9: {} - {{at: start, to: owner}}"),
        (f"{GOOD}  tell: {{at: start, to: [owner]}}\n", "p:7:9: {} - {{at: start, ...}}"),
        (f"{GOOD}protect: {{id: a, when: x, label: y}}\n", "p:7:10: {} - {{id: a, when: x, ...}}"),
        ("policy: 2\nname: p\nrules: {t: {when: x}}\n", "p:3:8: {} - {{...}}"),
    ],
)
def test_a_list_without_its_dash_is_shown_with_one(text: str, expected: str) -> None:
    fact = "expected a list, found keys and values - each item of a list begins with a dash:"
    assert expected.format(fact) in problems(text)


def with_condition(text: str, *, more: str = "") -> str:
    return f'{RULE}  when: "{text}"\n  mark: {{tag: x}}\nparams: {{n: 3, r: 60%, z: 0123}}\n{more}'


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("open_deals > ￥n", 23, "the sign ￥ - write '$n'"),
        ("open_deals > \uff04n", 23, "full-width \uff04 - write '$n'"),
        ("orders_amount() > ￥1000", 28, "the sign ￥ - write 1000"),
        ("open_deals > n", 23, "unknown name 'n' - write $n"),
        ("orders_count(365, amount > n) > 1", 37, "unknown column 'n' of orders - write $n"),
        ("on_time_rate(365) < 60%", 32, "the sign % has no place in a condition - write 0.6"),
        ("on_time_rate(365) < 12.5 % AND won_deals = 1", 35, "in a condition - write 0.125"),
        ("on_time_rate(365) < 60\uff05", 32, "full-width \uff05 - write 0.6"),
        ("on_time_rate(365) < \uff05", 30, "full-width \uff05 - write '%'"),
        ("open_deals % 2 = 0", 10, "the operator % is not allowed"),
        ("on_time_rate(365) < $r", 10, "is compared with '60%' (text) - write r: 0.6 in params"),
        ("orders_amount() - $r > 1", 10, "'60%' is no number - write r: 0.6 in params"),
        ("orders_count() > $z", 10, "'0123' (text) - write z: 123 in params"),
        ("orders_count() > 0123", 27, "the number 0123 begins with a 0 - write 123, or '0123'"),
        ("orders_count() > 1.", 27, "a number ends with a digit - write 1"),
        ("orders_count() > '五'", 10, "compare with a number"),
        ("orders_count() > '1.2.3'", 10, "compare with a number"),
        ("orders_amount() > 100,000", 31, "a number has no comma - write 100000"),
        ("orders_amount() > 100，000", 31, "full-width ， - write 100000"),
        ("on_time_rate(365) < 0,6", 31, "a number has no comma - write 0.6"),
        ("orders_amount() > 1.500.000,50", 37, "a number has no comma - write 1500000.5"),
        ("(orders_amount() > 100,000)", 11, "a number has no comma: write 100000"),
        ("abc(open_deals，80) = 'A'", 24, "full-width ， - write ','"),
        ("on_time_rate(365) < 1e5%", 33, "the sign % has no place in a condition"),
        ("orders_amount() > 1,2,3 万", 29, "unexpected ','"),
        ("orders_amount() > 3 Mio", 30, "write the number alone: 3000000"),
        ("region IN (华东)", 21, "if it is text, put it in single quotes: '华东'"),
        ("has_tag(战略客户)", 18, "if it is text, put it in single quotes: '战略客户'"),
        ("open_deals > 0；won_deals > 0", 24, "full-width ； - write AND between two conditions"),
        ("open_deals > 0。", 24, "full-width 。 - leave it out"),
        ("open_deals > 0;", 24, "';' is not allowed - leave it out"),
        ("open_deals > 0; won_deals > 0", 24, "';' is not allowed - write AND between"),
        ("owner_active = '是'", 10, "(text) - write owner_active, or NOT owner_active"),
        ("NOT owner_active = 1", 14, "(number) - write owner_active, or NOT owner_active"),
        ("(open_deals > 1) = '是'", 11, "(text) - write the condition itself, or NOT before it"),
        ("0.5 < orders_count() < 0.8", 10, "write x BETWEEN a AND b, or x > a AND x < b"),
        ("orders_count() > TRUE", 10, "with TRUE (condition) - compare with a number"),
        ("订单数 > 3", 10, "unknown name '订单数' - write orders_count()"),
        ("订单数(365) > 3", 10, "unknown function '订单数' - write orders_count()"),
        ("地区 = 'x'", 10, "unknown name '地区' - write region"),
        ("never(最近下单)", 16, "unknown name '最近下单' - write last_order_at"),
        ("有标签('x')", 10, "unknown function '有标签' - write has_tag('x')"),
        ("退货率 > 1", 10, "unknown name '退货率' - write return_rate()"),
        ("Kontakte > 1", 10, "unknown name 'Kontakte' - write activities_count()"),
        ("orders_count(金额 > 3) > 1", 23, "unknown column '金额' of orders - write amount"),
    ],
)
def test_a_mistake_in_a_condition_is_answered_with_what_was_meant(
    text: str, column: int, expected: str
) -> None:
    found = problems(with_condition(text))
    place = f"p:5:{column}: "
    assert any(line.startswith(place) and expected in line for line in found), found


@pytest.mark.parametrize("word", ["else", "ELSE", "other", "otherwise", "sonst", "其他"])
def test_the_rest_is_for_bands_and_pools(word: str) -> None:
    fact = f"'{word}' is no condition - else takes the rest, in the last band of a tier or in"
    (found,) = problems(with_condition(f" {word}"))
    assert found.startswith(f"p:5:11: {fact}")
    bands = f"bands: [{{name: A, when: open_deals > 1}}, {{name: B, when: {word}}}]"
    tier = f"policy: 2\nname: p\nrules:\n- tier: t\n  {bands}\n"
    assert word == "else" or fact in problems(tier)[0]


def test_a_definition_may_be_called_as_the_rest_is() -> None:
    text = with_condition("other", more='define: {other: "open_deals > 0"}\n')
    assert parse_policy(text).rules[0].id == "t"


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        ("define: {open_deals: orders_count(30)}", "a metric"),
        ("define: {orders_count: open_deals}", "a metric"),
        ("define: {nps: open_deals}", "a metric"),
        ("define: {region: open_deals}", "an attribute"),
        ("define: {rate: open_deals}", "a function"),
        ("define: {today: open_deals}", "a word of the language"),
        ("scores: {csat: {terms: [{of: open_deals, weight: 1}]}}", "a metric"),
    ],
)
def test_no_policy_gives_a_name_of_the_language_another_meaning(definition: str, kind: str) -> None:
    section, _, rest = definition.partition("{")
    name, column = rest.partition(":")[0], len(section) + 2
    expected = f"p:8:{column}: the name '{name}' is taken: it is {kind} - choose another name"
    assert expected in problems(with_condition("won_deals > 0", more=definition))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("total: 5\uff05", "9:10: expected a share such as 5%, found '5\uff05' - write 5%"),
        ("total: '5,5%'", "9:10: expected a share such as 5%, found '5,5%' - write 5.5%"),
        ("total: '0.05'", "9:10: expected a share such as 5%, found '0.05' - write 5%"),
        ("total: '50'", "9:10: expected a share such as 5%, found '50'"),
        ("total: 150%", "9:10: a share is at most 100% - write 5%, or 0.05"),
        ("share: 5", "9:10: a share is at most 100% - write 5%, or 0.05"),
        ("total: 0%", "9:10: a share is more than 0% - write 5%, or 0.05"),
    ],
)
def test_a_share_that_is_none_is_answered_with_one(limit: str, expected: str) -> None:
    assert problems(f"{GOOD}\nlimits:\n  {limit}\n") == [f"p:{expected}"]


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("params: {a: 100,000}", "7:20: expected a number, a text, true or false, found nothing"),
        ("pools: {a: {when: orders_count(365, amount > 3) > 1}}", "7:37: unknown key 'amount > 3"),
    ],
)
def test_a_comma_that_cuts_a_value_off_is_named(part: str, place: str) -> None:
    (found,) = [item for item in problems(f"{GOOD}{part}\n") if "a number has none" in item]
    assert found.startswith(f"p:{place}")
    assert (
        "inside {...} a value with a comma stands in double quotes, and a number has none" in found
    )


def test_a_field_that_a_known_crm_has_not_is_told_apart_from_one_that_nobody_knows() -> None:
    text = with_condition("field('Annual_Revenu') > 3 OR field('Qx') > 3")
    known = {"Annual_Revenue": Type.MONEY}
    with pytest.raises(FileProblems) as raised:
        parse_policy(text, "p", fields=known)
    near, far = (str(item) for item in raised.value.problems)
    assert near.startswith(
        "p:5:10: the CRM has no field('Annual_Revenu') that a condition can read"
    )
    assert near.endswith("did you mean 'Annual_Revenue'?")
    assert far.startswith("p:5:40: the CRM has no field('Qx') that a condition can read - if it is")
    unknown = problems(text)[0]
    assert "the type of field('Annual_Revenu') is not known - run `highseas check`" in unknown
