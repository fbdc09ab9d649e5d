"""What `limits.money` counts of each customer who would change, as SQL over the table `inputs`."""

from __future__ import annotations

from policies.evaluation.inputs import InputPlan
from policies.evaluation.mixed_money import amounts_in
from policies.evaluation.sql_expression import ExpressionSql, Thresholds
from policies.language.number_size import ADDED_DIGITS, MAX_DIGITS, scale


def amounts_statements(plan: InputPlan, thresholds: Thresholds) -> list[str]:
    """SQL that fills `amounts`, one row for each customer who changes by `actions`: the amount,
    NULL where it is not known, and its currencies, as far as amounts are not converted. Nothing
    for a policy without such a limit.

    An amount below nothing counts as nothing: it makes no room for another customer.
    """
    limit = plan.policy.limits.money
    if limit is None:
        return []
    tree = limit.of.tree
    kind = f"DECIMAL({MAX_DIGITS - ADDED_DIGITS},{scale(tree)})"
    value = f"TRY_CAST({ExpressionSql(plan, thresholds).sql(tree)} AS {kind})"
    undated = " OR ".join(f"u_{fact}" for fact in plan.facts_below(tree))
    known = f"CASE WHEN NOT ({undated}) THEN {value} END" if undated else value
    leaves = sorted(map(plan.of, amounts_in(tree)), key=lambda item: item.place)
    currencies = ", ".join(item.currency_column for item in leaves if item.currency)
    return [
        "CREATE OR REPLACE TEMP TABLE amounts AS "
        "SELECT key, CASE WHEN amount < 0 THEN 0 ELSE amount END AS amount, currencies FROM "
        f"(SELECT key, {known} AS amount, CAST([{currencies}] AS VARCHAR[]) AS currencies "
        "FROM inputs) WHERE key IN (SELECT key FROM actions WHERE status = 'change' AND moving)"
    ]
