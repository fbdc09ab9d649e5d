"""Conditions as sentences: every kind of node, in every language, and what negation does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.authoring.prose import Teller, teller
from policies.language.expressions import build
from policies.language.scope import Scope
from policies.language.tree import (
    Arithmetic,
    Compare,
    Constant,
    DataAge,
    DaysSince,
    MetricValue,
    Node,
    Not,
    OneOf,
    RowColumn,
    Today,
)
from policies.language.vocabulary import Type
from policies.languages import LANGUAGES
from policies.messages import catalogue
from policies.policy import parse_policy

SCOPE = Scope(
    params={"quiet_days": 180, "least": Decimal("0.6")},
    fields={"Level": Type.TEXT, "Blocked": Type.BOOLEAN, "Seen": Type.DATE, "Size": Type.NUMBER},
    has_calendar=True,
)


def tree(text: str) -> Node:
    built = build(text, SCOPE)
    assert built.node is not None, built.complaints
    return built.node


def zh(text: str) -> str:
    return Teller("zh-CN").sentence(tree(text))


def en(text: str) -> str:
    return Teller("en").sentence(tree(text))


def de(text: str) -> str:
    return Teller("de").sentence(tree(text))


def test_the_sentence_of_a_sleeping_customer() -> None:
    text = "days_since(last_order_at) > 180 AND open_deals = 0"
    assert zh(text) == "最近下单（从未有过则取创建日期）距今超过 **180** 天，且没有进行中商机"
    assert en(text) == (
        "the last order (if there was none, the day it was created) was more than **180** days "
        "ago, and there are no open deals"
    )
    assert de(text) == (
        "letzter Auftrag (wenn es das nie gab: Anlage des Kunden) vor mehr als **180** Tagen "
        "und keine offenen Verkaufschancen"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("days_since(owned_since) >= $quiet_days", "**180** 天（quiet_days）"),
        ("on_time_rate(365) < $least", "按时付款率（至少 **5** 例才计算）低于 **60**%（least）"),
        ("on_time_rate(365) < 0.6", "低于 **60**%"),
    ],
)
def test_a_parameter_is_named_beside_its_value(text: str, sentence: str) -> None:
    assert sentence in zh(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # days
        ("days_since(owned_since) >= 1", "its owner took over at least **1** day ago"),
        ("30 > days_since(created_at)", "it was created less than **30** days ago"),
        (
            "workdays_since(owned_since) > 15",
            "its owner took over more than **15** workdays ago",
        ),
        (
            "days_since(last_order_at) > order_interval_median",
            "the last order (if there was none, the day it was created) was more days ago than "
            "median days between orders",
        ),
        (
            "days_since(last_order_at, else: owned_since) = 5",
            "(if there was none, the day its owner took over) was exactly **5** days ago",
        ),
        (
            "days_since(created_at) + workdays_since(owned_since) > 9",
            "days since the day it was created + workdays since the day its owner took over "
            "above **9**",
        ),
        # counts and numbers
        ("orders_count() > 0", "there are orders"),
        ("orders_count(90) < 1", "there are no orders in **90** days"),
        ("complaints_open >= 1", "there are open complaints"),
        ("orders_count() >= 5", "at least **5** orders"),
        (
            "orders_amount(365) >= 1200.5",
            "amount of orders in **365** days at least **1,200.5**",
        ),
        ("receivable_open > 0", "open receivables above 0"),
        (
            "orders_amount() - returns_amount() < 10",
            "amount of orders \u2212 amount of returns below",
        ),
        ("2 * (open_deals + 1) > 7", "**2** \xd7 (open deals + **1**) above **7**"),
        ("orders_amount() > returns_amount()", "amount of orders above amount of returns"),
        (
            "activities_count(30, kind = 'call' AND seconds > 60) = 0",
            "there are no contacts in **30** days (a call and seconds above **60**)",
        ),
        ("last_csat < 3", "latest CSAT below **3**"),
        ("order_interval_median(else: 90) > 60", "(**90** if there is none) above **60**"),
        ("data_age('orders') > 7", "age of the data on orders in days above **7**"),
        # rates
        (
            "on_time_rate(365) < 0.6",
            "in **365** days (not computed below **5** cases) below **60** %",
        ),
        ("open_deals_age_mean > 90", "above **90**"),
        (
            "rate(complaints_open, open_deals, min_n: 1, else: 0) > 2",
            "ratio of open complaints to open deals (0 if there is none) above **2**",
        ),
        # choices and ranks
        ("abc(orders_amount(365)) = 'A'", "the first **80** % of the total"),
        (
            "quintile(orders_amount()) >= 4",
            "by amount of orders (5 is the highest) at least **4**",
        ),
        ("if(open_deals > 0, 1, 2) > 1", "(**1** if there are open deals, otherwise **2**)"),
        ("greatest(open_deals, 3) > 5", "the larger of open deals and **3** above **5**"),
        ("least(open_deals, 3) > 5", "the smaller of"),
        (
            "days_since(greatest(last_order_at, owned_since)) > 5",
            "the later of last order and the day",
        ),
        ("days_since(least(created_at, owned_since)) > 5", "the earlier of the day it was created"),
        # texts, tags, moments, fields
        ("region = '华东 *'", 'region is "华东 \\*"'),
        ("region <> 'x'", 'region is not "x"'),
        ("'x' = region", 'region is "x"'),
        ("party = 'company'", "party is company"),
        ("region IN ('a', 'b')", 'region is "a" or "b"'),
        ("has_tag('<vip>')", 'it carries the tag "\\<vip\\>"'),
        ("never(last_order_at)", "no last order was ever recorded"),
        ("last_order_at IS NOT NULL", "a last order is recorded"),
        ("phone IS NULL", "phone is blank"),
        ("email IS NOT NULL", "e-mail is filled in"),
        ("last_order_at < last_return_at", "last order is before last return"),
        ("field('Level') = 'gold'", 'field "Level" is "gold"'),
        ("field('Blocked')", 'field "Blocked" is "yes"'),
        ("NOT field('Blocked')", 'field "Blocked" is "no"'),
        ("field('Size') > 7", 'field "Size" above **7**'),
        ("days_until(field('Seen')) <= 30", 'field "Seen" is at most **30** days ahead'),
        ("days_until(field('Seen')) <= open_deals", "at most open deals (in days) ahead"),
        # flags
        ("phone_valid", "its phone number is valid"),
        (
            "NOT do_not_contact AND NOT owner_absent",
            "it may be contacted, and its owner is not absent",
        ),
    ],
)
def test_a_fact_is_told_in_english(text: str, sentence: str) -> None:
    assert sentence in en(text)


@pytest.mark.parametrize(
    ("language", "text", "sentence"),
    [
        (
            "zh-CN",
            "complaints_open(fault = 'ours' AND days_since(happened_at) > 7) > 0",
            "有责任方为我方且投诉时间距今超过 **7** 天的未结投诉",
        ),
        (
            "en",
            "complaints_open(fault = 'ours' AND days_since(happened_at) > 7) > 0",
            "there are open complaints (at fault: us and received more than **7** days ago)",
        ),
        (
            "zh-CN",
            "orders_count(90, amount > 5000 AND NOT confirmed) > 2",
            "近 **90** 天金额大于 **5,000** 且未确认的订单数多于 **2**",
        ),
        (
            "de",
            "activities_count(direction = 'ours' AND kind IN ('quote', 'sample')) = 0",
            "keine Kontakte (von uns ausgehend und Art ist Angebot oder Muster)",
        ),
        (
            "en",
            "activities_count(direction = 'ours' AND kind IN ('quote', 'sample')) = 0",
            "there are no contacts (from us and a quote or a sample)",
        ),
        (
            "de",
            "activities_count(NOT kind IN ('quote', 'sample')) > 0",
            "es gibt Kontakte (Art ist weder Angebot noch Muster)",
        ),
        ("zh-CN", "order_interval_median > 60", "下单间隔中位数大于 **60** 天"),
        ("zh-CN", "region IN ('a', 'b', 'c')", "地区为“a”、“b”或“c”"),
        ("zh-CN", "region IN ('a')", "地区为“a”"),
        ("zh-CN", "NOT region IN ('a')", "地区不是“a”"),
        (
            "zh-CN",
            "quintile(0 - days_since(last_order_at)) = 5",
            "最近下单（从未有过则取创建日期）距今天数的五等分（越近越高）等于 **5**",
        ),
        (
            "zh-CN",
            "rate(complaints_open, open_deals, min_n: 1) > 0.2",
            "未结投诉与进行中商机之比大于 **20**%",
        ),
        (
            "zh-CN",
            "days_since(last_order_at) > greatest(180, 2 * orders_count())",
            "最近下单（从未有过则取创建日期）距今天数超过以下两者中的较大者："
            "**180**、**2** \xd7 订单数",
        ),
        (
            "zh-CN",
            "days_since(greatest(last_followup_at, owned_since)) >= 90",
            "最近有效跟进、现负责人接手日期中的较晚者距今至少 **90** 天",
        ),
        (
            "de",
            "workdays_since(owned_since) > least(5, 2 * open_deals, 7)",
            "Übernahme durch den Betreuer ist mehr Arbeitstage her als der kleinste Wert von "
            "**5** und **2** \xd7 offene Verkaufschancen und **7**",
        ),
        (
            "de",
            "open_deals = 0 AND orders_count(90) = 0",
            "keine offenen Verkaufschancen und keine",
        ),
    ],
)
def test_a_fact_is_told_as_a_person_would_say_it(language: str, text: str, sentence: str) -> None:
    assert Teller(language).sentence(tree(text)).startswith(sentence)


def test_a_statement_says_once_what_days_are_counted_from() -> None:
    node = tree("days_since(last_activity_at) >= $quiet_days")
    told = Teller("en", statement=True).sentence(node)
    assert told == "the last contact was at least **180** days (quiet_days) ago"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NOT (phone_valid OR email_valid)", "电话无效，且邮箱无效"),
        ("NOT (phone_valid AND NOT email_valid)", "电话无效，或邮箱有效"),
        ("NOT NOT phone_valid", "电话有效"),
        ("NOT has_tag('x')", "没有标签“x”"),
        ("NOT region IN ('a', 'b')", "地区不属于“a”、“b”"),
        ("NOT never(last_order_at)", "有“最近下单”的记录"),
        ("NOT days_since(owned_since) < 30", "现负责人接手日期距今至少 **30** 天"),
        ("NOT orders_count() > 0", "订单数为 0"),
        ("NOT orders_count() = 3", "订单数不等于 **3**"),
    ],
)
def test_negation_reaches_the_fact(text: str, sentence: str) -> None:
    assert zh(text) == sentence


def test_what_is_joined_otherwise_stands_in_brackets() -> None:
    text = "phone_valid AND (email_valid OR NOT (owner_active OR owner_absent)) AND (TRUE AND TRUE)"
    assert zh(text).startswith(
        "电话有效，且（邮箱有效，或负责人已不在岗（离职或账号停用）且负责人没有休假），且"
    )
    assert en("(phone_valid AND email_valid) AND owner_active").count("(") == 0


def test_clauses_are_told_apart_with_what_joins_them() -> None:
    joined, clauses = Teller("zh-CN").clauses(
        tree("NOT (phone_valid OR (email_valid AND open_deals = 0))")
    )
    assert joined == "all"
    assert clauses == ("电话无效", "邮箱无效，或有进行中商机")
    whole = tree("owner_active AND NOT phone_valid")
    told = ("its owner is active", "its phone number is not valid")
    first, second = Teller("en").parts(whole)[1]
    assert (first[0], second[0]) == told
    assert (first[1:], second[1:]) == ((tree("owner_active"), False), (tree("phone_valid"), True))
    assert Teller("en").clauses(tree("phone_valid OR email_valid"))[0] == "any"


def test_what_holds_always_is_said_so() -> None:
    assert Teller("en").sentence(Constant(value=True)) == "this holds in every case"
    assert Teller("en").sentence(Not(Constant(value=True))) == "this holds in no case"


def test_figures_follow_the_language() -> None:
    assert "**1,200.5**" in zh("orders_amount() > 1200.5")
    assert "**1.200,5**" in de("orders_amount() > 1200.5")


def test_without_markup_nothing_is_bold_and_nothing_escaped() -> None:
    plain = Teller("en", marked=False)
    node = tree("region = 'a*b' AND orders_count(90, confirmed) > 3")
    assert plain.sentence(node) == 'region is "a*b", and more than 3 orders in 90 days (confirmed)'


def test_conditions_on_rows_are_told_too() -> None:
    kind, seconds = RowColumn("activities", "kind"), RowColumn("activities", "seconds")
    told = Teller("en")
    assert told.sentence(Compare("=", kind, Constant("call"))) == "a call"
    assert told.sentence(OneOf(kind, (Constant("call"), Constant("x")))) == 'a call or "x"'
    assert told.sentence(Compare(">", seconds, Constant(30))) == "seconds above **30**"
    assert told.sentence(RowColumn("activities", "checked_in")) == "checked in"
    assert told.sentence(Not(RowColumn("activities", "checked_in"))) == "not checked in"
    late = Compare("<", Today(), RowColumn("deals", "closed_at"))
    assert told.sentence(late) == "today is before closed"
    since = Arithmetic("-", Constant(0), MetricValue("open_deals"), Type.INTEGER)
    assert told.noun(since) == "0 \u2212 open deals"


def test_a_class_is_told_by_the_name_of_its_rule() -> None:
    policy = parse_policy(
        """
policy: 2
name: classes
rules:
  - tier: other
    bands:
      - {name: X, when: open_deals > 3, mark: {tag: x}}
  - tier: value
    label: Wert
    bands:
      - {name: A, when: orders_amount() > 10, mark: {tag: a}}
      - {name: B, when: else, mark: {tag: b}}
  - task: call
    when: tier('value') = 'A' OR tier('other') = 'X'
    todo: {to: owner, due: 3 days, text: call}
""",
        "policy.yaml",
    )
    node = policy.rule("call").conditions[0].tree
    sentence = "Klasse von „Wert“ ist „A“ oder Klasse von „other“ ist „X“"
    assert teller(policy, "de").sentence(node) == sentence
    assert Teller("en").sentence(node).endswith('("X" if more than **3** open deals) is "X"')
    assert "if amount of orders above **10**" in Teller("en").sentence(node)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_comparison_has_its_words(language: str) -> None:
    told = Teller(language)
    since = DaysSince(RowColumn("deals", "happened_at"), None)
    ahead = Arithmetic("-", Constant(0), since, Type.INTEGER)
    moment = RowColumn("deals", "closed_at")
    for operator in ("=", "<>", "<", "<=", ">", ">="):
        sides: list[tuple[Node, Node]] = [
            (since, Constant(3)),
            (ahead, Constant(3)),
            (moment, Today()),
            (MetricValue("orders_count"), Constant(3)),
            (DataAge("orders"), Constant(3)),
        ]
        for left, right in sides:
            sentence = told.sentence(Compare(operator, left, right))
            assert "{" not in sentence
            assert "prose." not in sentence


def test_the_catalogues_have_the_same_words() -> None:
    keys = [
        {key for key in catalogue(language) if key.startswith(("prose.", "signoff."))}
        for language in LANGUAGES
    ]
    assert keys[0] == keys[1] == keys[2]
    assert len(keys[0]) > 100
