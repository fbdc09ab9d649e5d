"""The policy statement: what it says in three languages, and what differs from what was signed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from policies.authoring.signature import (
    Signature,
    differences,
    read_signature,
    sign,
    signature_text,
    thresholds,
)
from policies.authoring.signoff import difference_text, render_signoff
from policies.calendar import Calendar
from policies.errors import FileProblems
from policies.languages import LANGUAGES
from policies.library import library_names, library_text
from policies.model import Policy, Rule
from policies.policy import load_policy, parse_policy

POLICY = """
policy: 2
name: 华东|制造
language: zh-CN
params: {quiet_days: 180, no_deal_days: 90, strict: true, label: x}
calendar: {holidays: CN, freeze: [春节 -5..+7, quarter-end -5..0, 2026-12-24..2027-01-06]}
money: {base: CNY, rates: [{date: 2026-01-01, currency: EUR, rate: 7.8}]}
group: [orders, invoices]
clocks: {response: direction = 'theirs' AND seconds >= 60}
define:
  won: orders_count() > 0 OR active_contracts > 0
protect:
  - {id: 战略客户, when: has_tag('战略客户') OR tier = 'A', from: [pool, void, cleanout]}
  - {id: 接手保护期, when: days_since(owned_since) < 30, from: [pool]}
pools:
  华东公海: {when: region = '华东', unclaimed: {after: 15 workdays, move_to: 公司公海}}
  公司公海: {when: else}
rules:
  - tier: 分层
    bands:
      - {name: A, when: orders_amount(365) > 100000, mark: {tag: 甲}}
      - {name: B, when: else}
  - pool: 超期未成交
    when: NOT won AND days_since(owned_since) >= $no_deal_days
    mark:
      tag: 即将收回
      status: 待收回
      field: {收回日期: $act_date, 原因: 超期, 天数: 90, 自动: true}
    tell:
      - {at: start, to: owner}
      - {left: 4 workdays, to: [owner, manager], text: '请跟进 {{ label }}'}
    wait: 7 workdays
    cancel: days_since(last_response_at) < 7
    extend: {times: 1, days: 15, approve: manager}
    act: {return: auto, reason: 超期未成交, open_records: move}
    note: false
  - task: 老客户沉睡
    when: won AND days_since(last_order_at) > greatest($quiet_days, 2 * order_interval_median)
    todo: {to: owner, due: 10 workdays, text: 唤醒回访, unless: do_not_contact}
  - void: 失联
    reason: lost_contact
    when: attempts_unanswered(180) >= 5
    mark: {tag: 待作废}
    act: {archive: review}
    review: [owner, manager]
    revisit: {every: 180 days}
  - defect: 回款风险
    axis: conduct
    when: NOT won OR on_time_rate(365) < 0.6
    mark: {tag: 回款关注}
limits:
  owner: {share: 5%, count: 5, per: week}
  total: 3%
  rules: {失联: 20}
  backlog: {wave: 50, order: oldest}
"""
PLAIN = """
policy: 2
name: plain
rules:
  - task: call
    label: call again
    when: phone_valid
    todo: {to: owner, due: 3 days, text: call}
"""
# Words that people would read about themselves in an answer to their request.
INSULTS = re.compile(
    "缺陷客户|无价值|清退|垃圾|worthless|defective|junk|bad customer|wertlos|mangelhaft",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse_policy(POLICY, "policy.yaml")


def every_policy() -> list[tuple[str, str]]:
    return [(name, library_text(name)) for name in library_names()] + [("own", POLICY)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "text"), every_policy(), ids=lambda value: str(value)[:30])
def test_every_policy_of_the_library_reads_as_a_statement(
    name: str, text: str, language: str
) -> None:
    loaded = parse_policy(text, f"{name}.yaml")
    for signed in (None, sign(loaded, "Li", date(2026, 11, 22))):
        page = render_signoff(loaded, language, signed=signed)
        assert page.startswith("# ")
        assert page.endswith(f"`{loaded.hash}`\n")
        assert "{" not in page
        assert not re.search(r"\b(prose|signoff|metric|column|formula|kind|guard)\.\w", page)
        assert not INSULTS.search(page)
        assert "\n\n\n" not in page
        for rule in loaded.rules:
            assert rule.title in page
        for value in loaded.params:
            assert value in page


def test_the_chinese_statement_says_it_in_whole_sentences(policy: Policy) -> None:
    page = render_signoff(policy, "zh-CN", signed=None)
    for fragment in (
        "# 华东\\|制造：制度说明",
        "尚未签署",
        "- 公海：找出应收回到公海、交由其他同事跟进的客户。",
        "- **战略客户**：有标签“战略客户”，或“分层”的类别为“A”。"
        "不受这些规则影响：公海、作废、终止合作。",
        "- **接手保护期**：现负责人接手日期距今不足 **30** 天。不受这些规则影响：公海。",
        "本工具自带，不能关闭：",
        "### 超期未成交（公海）",
        "- 现负责人接手日期距今至少 **90** 天（no_deal_days）",
        "1. **华东公海**：地区为“华东”；**15** 个工作日内无人领取的，转入“公司公海”。",
        "2. **公司公海**：其余客户。",
        "处理：加上标签“即将收回”，状态改为“待收回”，"
        "字段“收回日期”写为“处理日期”（本版本尚不写入），"
        "字段“原因”写为“超期”（本版本尚不写入），字段“天数”写为“90”（本版本尚不写入），"
        "字段“自动”写为“是”（本版本尚不写入）。",
        "本版本只写入标记和备注，这些步骤由人执行",
        "- 还剩 **4** 个工作日时通知负责人、上级主管：“请跟进 〈规则名称〉”。",
        "- 等待 **7** 个工作日，从通知送达起算。",
        "- 期间若客户最近回应距今不足 **7** 天，则取消。",
        "- 上级主管可批准延长，最多 **1** 次，每次 **15** 天。",
        "- 期满后收回到公海，原因：超期未成交。",
        "- 未完成的商机、任务和联系人一并转移。",
        "- 期满后由人逐个决定是否作废。",
        "- 请负责人在 **10** 个工作日内完成：“唤醒回访”；若客户不愿被联系则不做。",
        "- 每 **180** 天回访一次。",
        "- 须经负责人、上级主管确认。",
        "原因：失联。",
        "满足以下任一项的客户：",
        "### 回款风险（风险与服务：回款/合作风险）",
        "| no_deal_days | **90** | 现负责人接手日期距今至少 **90** 天（no_deal_days） | 默认值",
        "| strict | **true** | 参数 | 默认值，待签署 |",
        "| 接手保护期 #1 | **30** | 现负责人接手日期距今不足 **30** 天 |",
        "- 客户回应：发起方为客户，且时长（秒）不低于 **60**。",
        "- 以下期间不处理客户：春节前 5 天至后 7 天；季末前 5 天至当天；2026-12-24 至 2027-01-06。",
        "- 汇率：1 EUR = 7.8 CNY（自 2026-01-01 起）。",
        "- 同一集团成员的应收单、订单合并计算。",
        "- 每次最多变更客户总数的 **3**%，各规则合并计算；",
        "- 每位负责人每周最多变更 **5** 个客户，且不超过其名下客户的 **5**%，各规则合并计算，",
        "- 规则“失联”：每次最多变更 **20** 个客户。",
        "- 首次运行时分批处理：每位负责人每周 **50** 个客户，时间最早的优先。",
        "## 如何提出异议",
        "- 姓名：\uff3f",
    ):
        assert fragment in page


def test_the_english_and_german_statements_say_the_same(policy: Policy) -> None:
    english = render_signoff(policy, "en", signed=None)
    german = render_signoff(policy, "de", signed=None)
    for fragment in (
        "its owner took over less than **30** days ago. Not touched by: shared pool.",
        'class of "分层" is "A"',
        "People carry out".lower(),
        "- One run changes at most **3** % of the customers, all rules together.",
    ):
        assert fragment in english
    for fragment in (
        "Übernahme durch den Betreuer vor weniger als **30** Tagen.",
        "- Wartezeit: **7** Arbeitstage ab Zustellung der Nachricht.",
        "- Ein Lauf ändert höchstens **3** % der Kunden, alle Regeln zusammen.",
        "1 EUR = 7,8 CNY (ab 2026-01-01)",
    ):
        assert fragment in german


def test_a_small_policy_says_what_it_does_not_have() -> None:
    small = parse_policy(PLAIN, "policy.yaml")
    page = render_signoff(small, "en", signed=None)
    for fragment in (
        "This policy adds no protection of its own.",
        "Applies when: its phone number is valid.",
        "Nothing is marked.",
        "This policy has no thresholds to choose.",
        "This policy has no calendar of workdays.",
        "Amounts in different currencies are neither added up nor compared",
        "This policy sets no limits of its own.",
    ):
        assert fragment in page
    assert "always on" not in page
    gone = replace(small, rules=(*small.rules, Rule("gone", "retired", ())))
    assert "gone" not in render_signoff(gone, "en", signed=None)


def test_a_pool_without_pools_and_a_calendar_without_freezes_are_told() -> None:
    text = PLAIN + "calendar: {holidays: DE-BY}\nmoney: {base: EUR}\n"
    text = text.replace(
        "  - task: call",
        "  - pool: back\n    mark: {tag: b}\n    when: phone_valid\n  - task: call",
    )
    page = render_signoff(parse_policy(text, "policy.yaml"), "de", signed=None)
    assert "Feiertagen von Bayern" in page
    assert "### back (gemeinsamer Pool)" in page
    assert "Kurse:" not in page
    pools = "pools: {all: {when: else}}\n"
    page = render_signoff(parse_policy(text + pools, "policy.yaml"), "de", signed=None)
    assert "1. **all**: alle übrigen Kunden." in page


def test_thresholds_are_the_parameters_and_the_unnamed_numbers(policy: Policy) -> None:
    found = {item.name: item.value for item in thresholds(policy)}
    assert found == {
        "quiet_days": "180",
        "no_deal_days": "90",
        "strict": "true",
        "label": "x",
        "接手保护期 #1": "30",
        "分层 #1": "365",
        "分层 #2": "100000",
        "超期未成交 #1": "7",
        "老客户沉睡 #1": "2",
        "失联 #1": "180",
        "失联 #2": "5",
        "回款风险 #1": "365",
        "回款风险 #2": "5",
        "回款风险 #3": "0.6",
        "clocks.response #1": "60",
    }


def test_a_signature_survives_its_file(policy: Policy) -> None:
    signature = sign(policy, "王 五: #1", date(2026, 11, 22))
    text = signature_text(signature)
    assert read_signature(text) == signature
    assert "王 五" in text
    assert differences(policy, signature) == ()
    page = render_signoff(policy, "zh-CN", signed=signature)
    assert "> 已由王 五: #1于 2026-11-22 签署，内容与签署时一致。" in page
    assert "| quiet_days | **180** |" in page
    assert page.count("已签署 |") == len(thresholds(policy))


def changed(old: str, new: str) -> Policy:
    assert old in POLICY
    return parse_policy(POLICY.replace(old, new), "policy.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("quiet_days: 180", "quiet_days: 120", "阈值“quiet_days”：签署时为 180，现为 120"),
        (") < 30", ") < 60", "阈值“接手保护期 #1”：签署时为 30，现为 60"),
        ("2 * order_interval", "order_interval", "阈值“老客户沉睡 #1”：签署时为 2，现为 无"),
        ("greatest($quiet_days", "greatest(170", "阈值“老客户沉睡 #2”：签署时为 无，现为 2"),
        ("待作废", "已作废", "规则“失联”已修改"),
        ("void: 失联", "void: 失联二", "规则“失联”已删除"),
        ("void: 失联", "void: 失联二", "规则“失联二”为新增"),
        ("has_tag('战略客户')", "has_tag('大客户')", "保护“战略客户”已修改"),
        ("total: 3%", "total: 4%", "上限已修改"),
        ("春节 -5..+7", "春节 -5..+8", "工作日历已修改"),
    ],
)
def test_what_differs_from_what_was_signed_is_named(
    policy: Policy, old: str, new: str, expected: str
) -> None:
    signature = sign(policy, "Li", date(2026, 11, 22))
    now = changed("失联", "失联二") if new == "void: 失联二" else changed(old, new)
    texts = [difference_text(item, "zh-CN") for item in differences(now, signature)]
    assert expected in texts
    assert expected in render_signoff(now, "zh-CN", signed=signature)


def test_a_changed_threshold_says_what_was_signed(policy: Policy) -> None:
    signature = sign(policy, "Li", date(2026, 11, 22))
    now = changed("quiet_days: 180", "quiet_days: 120, added: 3")
    page = render_signoff(now, "en", signed=signature)
    assert "but the policy has changed since" in page
    assert "| signed as 180 |" in page
    assert "| new, to be signed |" in page


def test_only_a_newer_language_is_a_difference_too(policy: Policy) -> None:
    signature = replace(sign(policy, "Li", date(2026, 11, 22)), hash="0" * 64)
    found = differences(policy, signature)
    assert [difference_text(item, "en") for item in found] == [
        "the policy language has a newer version"
    ]


def test_layout_alone_is_no_difference(policy: Policy) -> None:
    signature = sign(policy, "Li", date(2026, 11, 22))
    assert differences(changed("[orders, invoices]", "[ invoices,  orders ]"), signature) == ()


GOOD = signature_text(Signature("Li", date(2026, 11, 22), "ab", {"a": "1"}, {}))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("signoff: 1", "signoff: 2", "this is no sign-off that this program reads"),
        (GOOD, "[]", "this is no sign-off that this program reads"),
        ("name: Li\n", "", "the key 'name' is missing"),
        ("name: Li", "name: 1", "expected text"),
        ("a: '1'", "a: 1", "expected names with texts"),
        ("parts: {}", "parts: 3", "expected names with texts"),
        ("2026-11-22", "2026-11-31", "expected a date"),
        ("'2026-11-22'", "5", "expected a date"),
    ],
)
def test_a_broken_signature_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(FileProblems, match=r"signoff\.yaml:\d+:\d+: ") as error:
        read_signature(GOOD.replace(old, new))
    assert message in str(error.value)
    assert "highseas policy signoff" in error.value.hint


COMPLETE = """
policy: 2
name: complete
params: {half: 180, share: 70, cases: 8}
money:
  base: CNY
  rates:
    - {date: 2026-01-01, currency: USD, rate: 7.1}
    - {date: 2025-01-01, currency: USD, rate: 7.2}
protect:
  - {id: named, when: days_since(last_order_at) < $half, from: [pool]}
  - {id: literal, when: days_since(last_order_at) < 180, from: [pool]}
rules:
  - tier: value
    bands:
      - {name: A, when: "abc(orders_amount($half)) = 'A'", mark: {tag: a}}
      - {name: B, when: "abc(orders_amount($half)) = 'B'", mark: {tag: b}}
      - {name: C, when: "abc(orders_amount(180), $share, 90) = 'A'", mark: {tag: c}}
      - {name: D, when: else}
  - cleanout: leave
    when: >-
      on_time_rate(730) < 0.5 OR on_time_rate(730, min_n: $cases) < 0.4
      OR orders_count($half, amount > 5000 AND NOT confirmed) > 8
    mark: {tag: leave}
    note: false
  - task: call
    when: "followups_count(30) = 0 AND order_interval_median(else: 45) > 20"
"""


def test_every_number_that_somebody_chose_is_in_the_table_once() -> None:
    complete = parse_policy(COMPLETE, "policy.yaml")
    found = [(item.name, item.value) for item in thresholds(complete)]
    assert found == [
        ("half", "180"),
        ("share", "70"),
        ("cases", "8"),
        ("literal #1", "180"),
        ("value #1", "80"),
        ("value #2", "95"),
        ("value #3", "180"),
        ("value #4", "90"),
        ("leave #1", "730"),
        ("leave #2", "5"),
        ("leave #3", "0.5"),
        ("leave #4", "730"),
        ("leave #5", "0.4"),
        ("leave #6", "5000"),
        ("leave #7", "8"),
        ("call #1", "30"),
        ("call #2", "45"),
        ("call #3", "20"),
        ("clocks.followup #1", "30"),
    ]
    for language in LANGUAGES:
        page = render_signoff(complete, language, signed=None)
        table = [line for line in page.splitlines() if line.startswith("| ")]
        bold = set(re.findall(r"\*\*([\d.,]+)\*\*", page))
        shown = {line.split(" | ")[1].strip("*") for line in table}
        assert bold - shown <= {"50", "40", "0,4", "0,5"}
        assert "clocks." not in page
    page = render_signoff(complete, "zh-CN", signed=None)
    assert "| 有效跟进 #1 | **30** |" in page
    assert "客户回应：" not in page


def test_a_statement_with_the_same_text_is_signed_whatever_its_numbers_were_called() -> None:
    complete = parse_policy(COMPLETE, "policy.yaml")
    signed = replace(sign(complete, "Li", date(2026, 11, 22)), thresholds={"leave #1": "9"})
    page = render_signoff(complete, "en", signed=signed)
    assert page.count("| signed |") == len(thresholds(complete))


def test_a_clock_that_changed_is_named_in_the_words_of_the_language(policy: Policy) -> None:
    signature = sign(policy, "Li", date(2026, 11, 22))
    now = changed("seconds >= 60", "seconds >= 90")
    texts = [difference_text(item, "zh-CN") for item in differences(now, signature)]
    assert "阈值“客户回应 #1”：签署时为 60，现为 90" in texts


def test_all_dated_rates_are_told_and_not_the_newest_alone() -> None:
    page = render_signoff(parse_policy(COMPLETE, "policy.yaml"), "en", signed=None)
    assert "1 USD = 7.2 CNY (from 2025-01-01); 1 USD = 7.1 CNY (from 2026-01-01)" in page


NOTED = """
policy: 2
name: noted
rules:
  - {void: gone, reason: lost_contact, when: open_deals > 3, mark: {tag: g}, note: NOTE}
"""


@pytest.mark.parametrize(
    ("note", "told", "absent"),
    [
        ("true", "A note says why.\n", ">  "),
        (
            '"Please ask {{ label }}."',
            "A note says:\n\n> Please ask 〈title of the rule〉.\n",
            "why",
        ),
        ('"Why: {{ facts }}\\n\\nBye"', "A note that gives", "A note says"),
    ],
)
def test_the_text_of_a_note_is_shown(note: str, told: str, absent: str) -> None:
    text = NOTED.replace("NOTE", note)
    page = render_signoff(parse_policy(text, "policy.yaml"), "en", signed=None)
    rules = page.partition("## The rules")[2].partition("## Thresholds")[0]
    assert told in rules
    assert absent not in rules


def test_a_protection_is_told_once_where_its_name_says_it_all() -> None:
    text = PLAIN + "protect: [{id: a, label: 有进行中商机, when: open_deals > 0, from: [void]}]\n"
    text += "  - {void: gone, reason: lost_contact, when: open_deals > 3, mark: {tag: g}}\n"
    head, tail = text.split("protect: ")
    line, rule = tail.split("\n", 1)
    page = render_signoff(parse_policy(head + rule + "protect: " + line), "zh-CN", signed=None)
    assert "- **有进行中商机**。不受这些规则影响：作废。\n" in page
    line = "- **有未结清的应收单**。不受这些规则影响：公海、作废、终止合作。无法确定时不予保护。\n"
    assert line in page


WORDED = """
policy: 2
name: worded
calendar: {holidays: DE-BY, freeze: [quarter-end -1..0]}
protect:
  - {id: p, label: our fault, when: "complaints_open(fault = 'ours') > 0", from: [cleanout]}
scores:
  s:
    terms:
      - {of: "least(open_deals, 3)", weight: 10}
      - {of: quintile(0 - days_since(last_order_at)), weight: 1}
      - {of: "least(open_deals, 3, won_deals)", weight: 2}
      - {of: "greatest(open_deals, 3)", weight: 4}
      - {of: "least(win_rate(), 3)", weight: 5}
      - {of: "least(open_deals, won_deals)", weight: 6}
rules:
  - {defect: d, label: 服务待改善, axis: service, when: open_deals > 3, mark: {tag: d}, note: false}
  - {task: t, when: s > 5, todo: {to: owner, due: 1 day, text: call}}
limits: {total: 100%, owner: {count: 1, share: 5%, per: week}, rules: {d: 100%, t: 1}}
"""


def test_a_statement_reads_as_a_person_would_write_it() -> None:
    worded = parse_policy(WORDED, "policy.yaml")
    told = {
        "zh-CN": (
            "  - 进行中商机（最多计 **3** 个），每个 **10** 分。\n",
            "  - 最近下单距今天数的五等分（越近越高），权重 **1**。\n",
            "### 服务待改善（风险与服务）\n",
            "- 每位负责人每周最多变更 **1** 个客户，且不超过其名下客户的 **5**%，",
            "- 规则“服务待改善”：不设上限。\n",
            "- 从未有过的，从客户创建之日起计算天数。\n",
        ),
        "en": (
            "- At most **1** customer or **5** % of the customers (whichever is less) of one owner",
            "end of the quarter: 1 day before to the day itself",
            "is asked to do within **1** day",
        ),
        "de": ("Quartalsende: 1 Tag davor bis zum Tag selbst", "Dieses Dokument wurde aus dem"),
    }
    for language, fragments in told.items():
        page = render_signoff(worded, language, signed=None)
        for fragment in fragments:
            assert fragment in page
        assert page.count("**100**") == 0


SCORED = """
policy: 2
name: scored
params: {reach: 70, window: 30, rate: 0.6}
scores:
  合作意愿:
    terms:
      - {when: days_since(last_response_at) < 90, points: 40}
      - {when: "NOT owner_active", points: -2.5}
      - {of: open_deals + won_deals, weight: 10}
  single: {terms: [{of: quotes_valid, weight: 2}]}
calendar: {holidays: DE-BY}
protect:
  - {id: keen, when: 合作意愿 >= $reach}
  - {id: graded, when: tier = 'A', from: [pool]}
rules:
  - tier: grade
    label: tier
    bands:
      - {name: A, when: single > 4 AND on_time_rate(1000) < $rate}
      - {name: B, when: days_since(created_at) < $window}
      - {name: C, when: else}
  - {task: call, when: 合作意愿 < 5 AND orders_count($window) > 2}
"""


def test_a_score_is_told_once_and_named_where_it_is_used() -> None:
    scored = parse_policy(SCORED, "policy.yaml")
    page = render_signoff(scored, "zh-CN", signed=None)
    for fragment in (
        "## 得分",
        "- **合作意愿**\n"
        "  - 若客户最近回应距今不足 **90** 天，计 **40** 分。\n"
        "  - 若负责人已不在岗（离职或账号停用），计 **-2.5** 分。\n"
        "  - （进行中商机 + 赢单商机） \xd7 **10**。\n"
        "- **single**\n"
        "  - 有效期内报价，每个 **2** 分。\n",
        "- **keen**：得分“合作意愿”不低于 **70**（reach）。",
        "- **graded**：“tier”的类别为“A”。",
        "得分“single”大于 **4**，且近 **1,000** 天按时付款率",
        "得分“合作意愿”低于 **5**",
        "工作日按德国巴伐利亚州的法定节假日",
        "| 合作意愿 #2 | **40** | 若客户最近回应距今不足 **90** 天，计",
    ):
        assert fragment in page
    english = render_signoff(scored, "en", signed=None)
    assert "### tier\n" in english
    assert "its owner is no longer active (left, or the account is closed)" in english
    assert "the public holidays of Bavaria (Germany)" in english


def test_a_score_of_no_points_is_nought() -> None:
    text = """policy: 2
name: none
scores: {keen: {terms: [{when: orders_count() > 1, points: 0}]}}
rules:
  - {task: call, when: orders_count() > keen, mark: {tag: call}}
"""
    page = render_signoff(parse_policy(text, "policy.yaml"), "en", signed=None)
    assert "- **keen**\n  - 0.\n" in page


def test_each_threshold_says_the_smallest_condition_that_it_decides() -> None:
    scored = parse_policy(SCORED, "policy.yaml")
    page = render_signoff(scored, "de", signed=None)
    assert "| rate | **0,6** | Anteil pünktlich bezahlter Rechnungen in **1.000** Tagen" in page
    assert "| window | **30** | Anlage des Kunden vor weniger als **30** Tagen (window) |" in page
    assert "| 合作意愿 #3 | **-2,5** | **-2,5** Punkte, wenn gilt: " in page
    signed = sign(parse_policy(SCORED.replace("0.6", "0.55")), "Li", date(2026, 11, 22))
    texts = [difference_text(item, "de") for item in differences(scored, signed)]
    assert any("0,55" in text and "0,6" in text for text in texts)
    assert "0,55" in render_signoff(scored, "de", signed=signed)
    found = {item.name: item.value for item in thresholds(scored)}
    assert found == {
        "reach": "70",
        "window": "30",
        "rate": "0.6",
        "合作意愿 #1": "90",
        "合作意愿 #2": "40",
        "合作意愿 #3": "-2.5",
        "合作意愿 #4": "10",
        "single #1": "2",
        "grade #1": "4",
        "grade #2": "1000",
        "grade #3": "5",
        "call #1": "5",
        "call #2": "2",
    }


@pytest.mark.parametrize("language", ["zh-CN", "en", "de"])
def test_a_rank_in_the_table_of_thresholds_is_no_sentence(language: str) -> None:
    head = "policy: 2\nname: ranked\nrules:\n"
    policy = parse_policy(f"{head}- {{task: t, when: abc(orders_amount(90)) = 'A'}}\n")
    page = render_signoff(policy, language, signed=None)
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| t #")]
    assert len(rows) == 3
    assert all(not row[2].endswith((".", "。")) for row in rows)


def test_a_parameter_of_a_library_that_decides_nothing_is_not_signed(tmp_path: Path) -> None:
    base = (
        "policy: 2\nname: base\n"
        "params: {shown: 3, window: 40, written: 9, pool_days: 8, unused: 7}\n"
        "define: {old: days_since(created_at) > $unused, many: orders_count($window) > 1}\n"
        "rules:\n- {task: t, when: open_deals > $shown OR many, mark: {field: {A: $written}}}\n"
        "- {pool: p, when: open_deals = 0, mark: {tag: p}}\n"
        "pools: {North: {when: orders_count($pool_days) > 0}, Rest: {when: else}}\n"
    )
    (tmp_path / "base.yaml").write_text(base, "utf-8")
    path = tmp_path / "policy.yaml"
    path.write_text("policy: 2\nextends: base.yaml\nparams: {own: 1}\n", "utf-8")
    policy = load_policy(path)
    named = {item.name: item for item in thresholds(policy)}
    assert set(named) >= {"shown", "window", "written", "pool_days", "own"}
    assert "unused" not in named
    assert (named["written"].clause, named["own"].clause) == (None, None)
    page = render_signoff(policy, "en", signed=None)
    assert "| window | **40** | more than **1** orders in **40** days |" in page
    bare = replace(policy, documents={})
    assert "unused" in {item.name for item in thresholds(bare)}


@pytest.mark.parametrize(
    ("code", "told"),
    [("CN", "China"), ("DE-NW", "North Rhine-Westphalia"), ("CN-HK", "CN-HK"), ("US-CA", "United")],
)
def test_a_country_is_named_where_its_name_is_known(code: str, told: str) -> None:
    small = parse_policy(PLAIN, "policy.yaml")
    page = render_signoff(replace(small, calendar=Calendar(code)), "en", signed=None)
    (line,) = [line for line in page.splitlines() if "public holidays of" in line]
    assert told in line
    page = render_signoff(replace(small, calendar=Calendar("XX-Y")), "en", signed=None)
    assert "public holidays of XX-Y;" in page


WEIGHED = """
policy: 2
name: weighed
params: {window: 365, far: 90}
%s
scores: {warm: {terms: [{of: open_deals, weight: 2}]}}
rules:
  - {task: call, when: phone_valid, mark: {tag: c}}
  - tier: value
    label: Customer value
    bands:
      - {name: A, when: warm > 5}
      - {name: B, when: else}
limits:
  tiers: {value: {B: {share: 5%%, count: 1}, A: 2}}
  money: {of: %s, at_most: 100000}
"""
SPENT = "orders_amount($window) * 0.3 + deals_amount($far)"


@pytest.mark.parametrize(
    ("language", "bands", "money", "named"),
    [
        (
            "en",
            (
                'One run changes at most **2** customers of the class "A" (Customer value), all',
                "at most **1** customer or **5** % of the customers (whichever is less) of the "
                'class "B"',
            ),
            "The customers that one run changes add up to at most **100,000** CNY ((amount of",
            "limit by amount #1",
        ),
        (
            "zh-CN",
            (
                "- “Customer value”的“A”类，每次最多变更 **2** 个客户，各规则合并计算；",
                "- “Customer value”的“B”类，每次最多变更 **1** 个客户，"
                "且不超过该类别客户的 **5**%，",
            ),
            "合计不超过 **100,000** CNY，各规则合并计算；",
            "金额上限 #1",
        ),
        (
            "de",
            (
                "Ein Lauf ändert höchstens **2** Kunden der Klasse „A“ (Customer value), alle",
                "höchstens **1** Kunde oder **5** % der Kunden (je nachdem, was weniger ist) der "
                "Klasse „B“",
            ),
            "kommen zusammen auf höchstens **100.000** CNY ((Auftragswert in **365** Tagen",
            "Obergrenze nach Betrag #1",
        ),
    ],
)
def test_limits_by_tier_and_by_money_are_told(
    language: str, bands: tuple[str, str], money: str, named: str
) -> None:
    weighed = parse_policy(WEIGHED % ("money: {base: CNY}", SPENT), "policy.yaml")
    page = render_signoff(weighed, language, signed=None)
    assert page.index(bands[0]) < page.index(bands[1]) < page.index(money)
    assert f"| {named} | **{'0,3' if language == 'de' else '0.3'}** | " in page


@pytest.mark.parametrize(
    ("more", "of", "told"),
    [
        ("", SPENT, "add up to at most **100,000** ((amount of orders in **365** days"),
        (
            "money: {base: CNY}",
            "orders_count(30) * 2",
            "at most **100,000** (orders in **30** days",
        ),
        ("", "warm", "at most **100,000** (the score"),
    ],
)
def test_what_a_limit_counts_is_told_as_it_is(more: str, of: str, told: str) -> None:
    page = render_signoff(parse_policy(WEIGHED % (more, of), "policy.yaml"), "en", signed=None)
    assert told in page
    assert "points for each" not in page.partition("## Thresholds")[2].partition("| warm")[0]


def test_what_a_limit_counts_is_agreed_to() -> None:
    weighed = parse_policy(WEIGHED % ("", SPENT), "policy.yaml")
    values = {item.name: item.value for item in thresholds(weighed)}
    assert (values["window"], values["far"], values["limits.money #1"]) == ("365", "90", "0.3")
    score = parse_policy(WEIGHED % ("", "warm"), "policy.yaml")
    assert not any(item.name.startswith("limits.") for item in thresholds(score))
    signed = sign(weighed, "Li", date(2026, 11, 22))
    other = parse_policy(WEIGHED % ("", SPENT.replace("0.3", "0.5")), "policy.yaml")
    assert [difference_text(item, "de") for item in differences(other, signed)] == [
        "der Schwellenwert „Obergrenze nach Betrag #1“ wurde als 0,3 unterschrieben "
        "und ist jetzt 0,5",
        "Obergrenzen: wurde geändert",
    ]
    lower = parse_policy((WEIGHED % ("", SPENT)).replace("A: 2", "A: 3"), "policy.yaml")
    assert [item.name for item in differences(lower, signed)] == ["limits"]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "entered more than 3 days after it happened takes nobody out of this rule"),
        ("zh-CN", "发生超过 3 天才补录的联系记录，不能单独使客户退出本规则"),
        ("de", "mehr als 3 Tage später eingetragen wurde, beendet dies nicht von selbst"),
    ],
)
def test_a_pool_rule_about_contacts_says_what_late_entries_do(language: str, told: str) -> None:
    text = "policy: 2\nname: late\nrules:\n  - pool: back\n    mark: {tag: b}\n    when: "
    contacts = parse_policy(text + "activities_count(30) = 0", "policy.yaml")
    orders = parse_policy(text + "orders_count(30) = 0", "policy.yaml")
    assert told in render_signoff(contacts, language, signed=None)
    assert told not in render_signoff(orders, language, signed=None)
