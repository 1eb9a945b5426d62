"""Runs and schedule slots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "runs",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cycle_id", sa.Text, nullable=False),
        sa.Column("begun", sa.Text, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("gate_passed", sa.Boolean, nullable=False),
        sa.Column("has_errors", sa.Boolean, nullable=False),
        sa.Column("recommendation", sa.Text),
        sa.Column("data_to", sa.Date),
        sa.Column("profile", sa.Text),
        sa.Column("summary_path", sa.Text),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("symbols", sa.JSON, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
    )
    op.create_index("runs_by_begun", "runs", ["cycle_id", "begun"])
    op.create_table(
        "slots",
        sa.Column("cycle_id", sa.Text, primary_key=True),
        sa.Column("slot", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("begun", sa.Text, nullable=False),
        sa.Column("ended", sa.Text),
        sa.Column("exit_code", sa.Integer),
    )


def downgrade() -> None:
    """Take both away."""
    op.drop_table("slots")
    op.drop_table("runs")
