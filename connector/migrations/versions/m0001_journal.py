"""The first journal: runs, plans, approvals, intents, and what they leave behind.

Frozen: later changes to the tables are migrations of their own, and always forward.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_runs_and_plans()
    _create_intents()
    _create_projections()


def _create_runs_and_plans() -> None:
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("plan_id", sa.String(40)),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("summary", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "plans",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("policy_hash", sa.String(64), nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("primitives", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("cost", sa.Integer, nullable=False),
        sa.Column("started_at", sa.String(27)),
        sa.Column("applied_at", sa.String(27)),
    )
    op.create_table(
        "plan_rows",
        sa.Column(
            "plan", sa.Integer, sa.ForeignKey("plans.number"), primary_key=True, autoincrement=False
        ),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("plan_rows_by_status", "plan_rows", ["plan", "status", "seq"])
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plan", sa.Integer, sa.ForeignKey("plans.number"), nullable=False, index=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )


def _create_intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("plan", sa.Integer, sa.ForeignKey("plans.number"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("batch_id", sa.String(60), nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("primitive", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("intended_at", sa.String(27), nullable=False),
        sa.Column("finished_at", sa.String(27)),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("remote_id", sa.Text),
        sa.Column("receipt", sa.BigInteger, unique=True),
        sa.UniqueConstraint("plan", "key"),
    )
    op.create_index("intents_by_row", "intents", ["plan", "seq"])
    op.create_index("intents_by_subject", "intents", ["customer", "subject"])


def _create_projections() -> None:
    op.create_table(
        "holdings",
        sa.Column("customer", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("original", sa.LargeBinary, nullable=False),
        sa.Column("remote_id", sa.Text),
    )
    op.create_table(
        "episodes",
        sa.Column("customer", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("evidence_key", sa.Text, nullable=False),
        sa.Column("opened_at", sa.String(27), nullable=False),
        sa.Column("closed_at", sa.String(27)),
    )
