"""`policy explain`: why, why not, and what is missing, for one customer."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import RefusedError
from connector.explain import explain_as_planned
from connector.explain_text import explanation_lines
from connector.plan_model import Plan
from tests.crm_sandbox import POLICY, Client
from tests.little_crm import Shop

QUIET = """
policy: 2
name: little
rules:
  - task: quiet
    when: industry = 'quiet'
    mark: {tag: quiet}
"""


def accounts(client: Client) -> list[str]:
    keys = (key.partition(":") for key in client.store.snapshot())
    return [record for module, _, record in keys if module == "Accounts"]


@pytest.fixture
def pulled(client: Client) -> Client:
    client.ok("pull")
    return client


def test_a_customer_is_found_by_key_id_and_name(pulled: Client) -> None:
    record = accounts(pulled)[0]
    name = pulled.store.values(record)["Account_Name"]
    answers = [
        pulled.ok("policy", "explain", each) for each in (record, f"Accounts:{record}", name)
    ]
    assert {answer["customer"] for answer in answers} == {f"Accounts:{record}"}
    assert [rule["id"] for rule in answers[0]["rules"]] == ["失联", "客户分层"]


def test_nobody_and_too_many_are_told_apart(pulled: Client) -> None:
    nobody = pulled.run("policy", "explain", "nobody of that name")
    assert nobody.code == 2
    assert "no customer has the key, id or name 'nobody of that name'" in nobody.err
    first, second, *_ = accounts(pulled)
    name = pulled.store.values(first)["Account_Name"]
    pulled.store.edit("Accounts", second, {"Account_Name": name})
    pulled.ok("pull")
    several = pulled.run("policy", "explain", name)
    assert several.code == 2
    assert f"Accounts:{first}, Accounts:{second}" in several.err


def test_what_is_missing_is_named_in_words(client: Client) -> None:
    record = accounts(client)[0]
    order = {"Subject": "unpriced", "Account_Name": record, "Grand_Total": None}
    client.store.insert("Sales_Orders", [order | {"Created_Time": "2026-01-05T10:00:00+08:00"}])
    client.ok("pull")
    answer = client.run("policy", "explain", record, "--as-of", "2026-02-01")
    assert "客户分层：数据不足，未判断" in answer.out
    assert "数据不足，未判断：近 365 天订单金额" in answer.out


def test_in_the_past_a_customer_answers_to_the_name_of_today(pulled: Client) -> None:
    record = accounts(pulled)[0]
    name = pulled.store.values(record)["Account_Name"]
    answer = pulled.ok("policy", "explain", name, "--as-of", "2026-02-01")
    assert (answer["customer"], answer["name"]) == (f"Accounts:{record}", name)


def test_a_customer_did_not_exist_yet(pulled: Client) -> None:
    answer = pulled.run("policy", "explain", accounts(pulled)[0], "--as-of", "1999-01-01")
    assert "该客户当时尚不存在" in answer.out


def test_a_policy_without_ranks_needs_nobody_else(pulled: Client) -> None:
    text = POLICY.partition("  - tier:")[0]
    (pulled.folder / "policy.yaml").write_text(text, encoding="utf-8")
    answer = pulled.ok("policy", "explain", accounts(pulled)[0])
    assert [rule["id"] for rule in answer["rules"]] == ["失联"]


@pytest.mark.parametrize(
    ("day", "word", "said"),
    [
        ("2199-01-01", "future", "统计截止日在今天之后：按目前已知的数据推算，仅供查看"),
        ("2026-02-01", "past", "统计截止日已过：按该日零点前已读取的数据判断"),
    ],
)
def test_another_day_than_today_is_said_to_be_one(
    pulled: Client, day: str, word: str, said: str
) -> None:
    record = accounts(pulled)[0]
    assert said in pulled.run("policy", "explain", record, "--as-of", day).out
    assert pulled.ok("policy", "explain", record, "--as-of", day)["other_day"] == word
    assert "other_day" not in pulled.ok("policy", "explain", record)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, QUIET)


def stages(shop: Shop, customer: str, plan: Plan) -> list[int | None]:
    told = explain_as_planned(shop.workspace, customer, plan.id).explanation
    assert told is not None
    return [rule.stage for rule in told.rules]


def test_a_plan_is_explained_from_what_it_saw(shop: Shop) -> None:
    (ref,) = shop.customers(1, industry="quiet")
    before = shop.plan()
    shop.later(hours=1)
    shop.crm.edit(ref, industry="busy")
    shop.later(hours=1)
    after = shop.plan()
    assert stages(shop, str(ref), before) == [1]
    assert stages(shop, str(ref), after) == [0]
    shop.later(days=1)
    shop.crm.edit(ref, industry="quiet")
    shop.plan()
    shop.later(days=1)
    replayed = shop.plan(as_of="2026-01-05")
    assert stages(shop, str(ref), replayed) == [0], "it saw nothing of that day"
    assert stages(shop, str(ref), shop.plan()) == [1]
    told = explain_as_planned(shop.workspace, str(ref), before.id, shop.clock().date())
    assert told.payload()["plan"] == before.id
    lines = explanation_lines(told, "en")
    assert f"from what plan {before.id} saw" in lines[1]
    assert "it has been changed since that plan" not in "\n".join(lines)
    shop.write_policy(QUIET.replace("quiet'", "still'"))
    told = explain_as_planned(shop.workspace, str(ref), before.id, shop.clock().date())
    assert "it has been changed since that plan" in "\n".join(explanation_lines(told, "en"))


def test_a_plan_of_a_past_day_is_explained_from_what_had_been_seen_before_that_day(
    shop: Shop,
) -> None:
    (ref,) = shop.customers(1, industry="quiet")
    shop.plan()
    shop.later(days=1)
    day = shop.clock().date().isoformat()
    shop.crm.edit(ref, industry="busy")
    shop.later(days=1)
    plan = shop.plan(as_of=day)
    assert [count.matched for count in plan.header.rules] == [1]
    assert stages(shop, str(ref), plan) == [1]


def test_a_plan_with_other_params_is_explained_with_them(shop: Shop) -> None:
    given = QUIET.replace("name: ", "params: {word: quiet}\nname: ").replace("'quiet'", "$word")
    shop.write_policy(given)
    (ref,) = shop.customers(1, industry="still")
    plan = shop.plan(overrides={"word": "still"})
    assert stages(shop, str(ref), plan) == [1]
    assert not explain_as_planned(shop.workspace, str(ref), plan.id).other_policy
    shop.write_policy(QUIET)
    assert stages(shop, str(ref), plan) == [0]
    assert explain_as_planned(shop.workspace, str(ref), plan.id).other_policy


def test_what_no_policy_decided_is_not_explained(shop: Shop) -> None:
    (ref,) = shop.customers(1, industry="quiet")
    with pytest.raises(RefusedError, match="no policy decided what is in plan p1"):
        explain_as_planned(shop.workspace, str(ref), "p1")
    run = shop.apply(shop.plan())
    undo = shop.undo(run.run_id)
    with pytest.raises(RefusedError, match="no policy decided"):
        explain_as_planned(shop.workspace, str(ref), undo.id)


def test_one_moment_is_asked_for_at_a_time(pulled: Client) -> None:
    answer = pulled.run("policy", "explain", "1", "--as-of", "2026-02-01", "--plan", "p1")
    assert answer.code == 2
    assert "--as-of and --plan name two moments" in answer.err
    plan = pulled.ok("plan")["plan"]
    told = pulled.ok("policy", "explain", accounts(pulled)[0], "--plan", plan["id"])
    assert told["plan"] == plan["id"]
