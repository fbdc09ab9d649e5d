"""Rows of a plan without columns that nobody asks by: they stand in the body.

Frozen: later changes to the tables are migrations of their own, and always forward.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("customer", "rule", "intent_id"):
        op.drop_column("plan_rows", name)
