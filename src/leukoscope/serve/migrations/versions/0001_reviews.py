"""The first table: reviews, to which the database itself lets rows be added only."""

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None

_SQLITE = (
    """CREATE TRIGGER reviews_{verb} BEFORE {verb} ON reviews
    BEGIN SELECT RAISE(ABORT, 'reviews are never changed or deleted'); END""",
)
_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger AS $$
    BEGIN RAISE EXCEPTION 'reviews are never changed or deleted'; END $$ LANGUAGE plpgsql""",
    """CREATE TRIGGER reviews_{verb} BEFORE {verb} ON reviews
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    """The table, its index, and what keeps its rows as they are."""
    op.create_table(
        "reviews",
        sql.Column("number", sql.Integer, primary_key=True, autoincrement=True),
        sql.Column("id", sql.String(36), nullable=False, unique=True),
        sql.Column("time", sql.String(32), nullable=False),
        sql.Column("person", sql.String(100), nullable=False),
        sql.Column("sha256", sql.String(64), nullable=False),
        sql.Column("name", sql.String(200), nullable=False),
        sql.Column("patient", sql.String(100), nullable=False),
        sql.Column("classifier", sql.String(64), nullable=False),
        sql.Column("suggestion", sql.String(200), nullable=False),
        sql.Column("certainty", sql.Float(53), nullable=False),
        sql.Column("answer", sql.JSON, nullable=False),
        sql.Column("decision", sql.String(10), nullable=False),
        sql.Column("label", sql.String(200), nullable=False),
    )
    op.create_index("reviews_by_image", "reviews", ["sha256", "number"])
    statements = _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for verb in ("UPDATE", "DELETE"):
        for statement in statements:
            op.execute(statement.format(verb=verb))
