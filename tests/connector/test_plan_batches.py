"""However many rows are gathered at a time, the plan is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.little_crm import Shop

POLICY = """
policy: 2
name: batches
protect:
  - {id: large, when: region = 'north', from: [void]}
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet'
    mark: {tag: quiet}
    note: true
  - void: nobody
    reason: lost_contact
    when: industry = 'none'
    mark: {tag: nobody}
  - tier: size
    bands:
      - {name: small, when: else, mark: {tag: small}}
"""


@pytest.mark.parametrize("gathered", [1, 4, 8])
def test_rows_gathered_in_batches_make_the_same_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gathered: int
) -> None:
    shop = Shop(tmp_path, POLICY)
    shop.customers(4, industry="quiet")
    whole = shop.plan()
    assert {row.rule for row in shop.rows(whole)} == {"quiet", "size"}
    monkeypatch.setattr("connector.plan_rows.GATHERED", gathered)
    again = shop.plan()
    assert again.fingerprint == whole.fingerprint
    assert [row.seq for row in shop.rows(again)] == list(range(8))
