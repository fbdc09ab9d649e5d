"""`policy explain`: why, why not, and what is missing, for one customer."""

from __future__ import annotations

import pytest

from tests.crm_sandbox import POLICY, Client


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


def test_what_is_missing_is_named_in_words(pulled: Client) -> None:
    record = accounts(pulled)[0]
    order = {"Subject": "unpriced", "Account_Name": record, "Grand_Total": None}
    pulled.store.insert("Sales_Orders", [order | {"Created_Time": "2026-01-05T10:00:00+08:00"}])
    pulled.ok("pull", "--full")
    answer = pulled.run("policy", "explain", record, "--as-of", "2026-02-01")
    assert "客户分层：数据不足，未判断" in answer.out
    assert "数据不足，未判断：近365天订单金额" in answer.out


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
        ("2026-02-01", "past", "统计截止日不是今天，而标记取 CRM 现状：仅供查看"),
    ],
)
def test_another_day_than_today_is_said_to_be_one(
    pulled: Client, day: str, word: str, said: str
) -> None:
    record = accounts(pulled)[0]
    assert said in pulled.run("policy", "explain", record, "--as-of", day).out
    assert pulled.ok("policy", "explain", record, "--as-of", day)["other_day"] == word
    assert "other_day" not in pulled.ok("policy", "explain", record)
