"""What was suggested, by which classifier, and what the person said: a database.

A review is a row that is never changed or deleted; a decision is taken back by a later row. The
latest row of an image is its decision.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.files import make_folder

Decision = Literal["confirmed", "corrected", "skipped", "withdrawn"]

METADATA = sql.MetaData()
TABLE = sql.Table(
    "reviews",
    METADATA,
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
    sql.Index("reviews_by_image", "sha256", "number"),
)


@dataclass(frozen=True, slots=True)
class Review:
    """One row: the image, what was suggested, who decided what, and when."""

    id: str  # chosen by the client, so that sending it twice keeps it once
    person: str
    sha256: str
    name: str  # of the file, for showing
    patient: str
    classifier: str  # its fingerprint
    suggestion: str
    certainty: float
    answer: dict[str, Any]  # all that the classifier said
    decision: Decision
    label: str  # the class decided on; empty when skipped or withdrawn
    time: str = ""  # UTC, ISO 8601; set when it is kept
    number: int = field(default=0)  # the order in which they were kept


class Reviews:
    """The rows in a database. All methods may be called from any thread."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine

    def add(self, review: Review) -> tuple[Review, bool]:
        """The row as it was kept, and whether it is new; it is on disk when this returns.

        A review whose id is there already is not kept again: the earlier row comes back.
        """
        values = {name: getattr(review, name) for name in Review.__slots__ if name != "number"}
        values["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            with self._engine.begin() as connection:
                connection.execute(TABLE.insert().values(values))
            new = True
        except IntegrityError:
            new = False
        (kept,) = self._rows(sql.select(TABLE).where(TABLE.c.id == review.id))
        return kept, new

    def history(self, sha256: str) -> list[Review]:
        """Every row of an image, oldest first."""
        return self._rows(
            sql.select(TABLE).where(TABLE.c.sha256 == sha256).order_by(TABLE.c.number)
        )

    def current(
        self,
        *,
        images: Sequence[str] = (),
        patient: str | None = None,
        person: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[Review]:
        """The decision of each image that has one, latest first; of all images, or of some.

        `before` is a row's number: only older ones, to go on where a list with a `limit` ended.
        """
        latest = sql.select(sql.func.max(TABLE.c.number)).group_by(TABLE.c.sha256)
        chosen = sql.select(TABLE).where(TABLE.c.number.in_(latest))
        chosen = chosen.where(TABLE.c.decision != "withdrawn")
        if images:
            chosen = chosen.where(TABLE.c.sha256.in_(images))
        if patient is not None:
            chosen = chosen.where(TABLE.c.patient == patient)
        if person is not None:
            chosen = chosen.where(TABLE.c.person == person)
        if before is not None:
            chosen = chosen.where(TABLE.c.number < before)
        return self._rows(chosen.order_by(TABLE.c.number.desc()).limit(limit))

    def disagreements(self) -> set[str]:
        """The images that two people, by the last word of each, gave different labels."""
        latest = sql.select(sql.func.max(TABLE.c.number)).group_by(TABLE.c.sha256, TABLE.c.person)
        labels = sql.func.count(sql.distinct(TABLE.c.label))
        query = sql.select(TABLE.c.sha256).where(TABLE.c.number.in_(latest), TABLE.c.label != "")
        with self._engine.connect() as connection:
            return set(connection.scalars(query.group_by(TABLE.c.sha256).having(labels > 1)))

    def check(self) -> None:
        """Nothing; raises `DBAPIError` when the database does not answer."""
        with self._engine.connect() as connection:
            connection.execute(sql.select(sql.literal(1)))

    def close(self) -> None:
        """Connections end."""
        self._engine.dispose()

    def _rows(self, query: sql.Select[Any]) -> list[Review]:
        with self._engine.connect() as connection:
            return [Review(**row) for row in connection.execute(query).mappings()]


def default_database() -> str:
    """The SQLite file of this user: `reviews.sqlite` in `$LEUKOSCOPE_DATA` or the data folder."""
    given = os.environ.get("LEUKOSCOPE_DATA")
    if given:
        return str(Path(given) / "reviews.sqlite")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return str(Path(data) / "leukoscope" / "reviews.sqlite")


@contextmanager
def open_reviews(database: str) -> Iterator[Reviews]:
    """The reviews in a database, brought to the newest version of its tables.

    `database` is the path of an SQLite file, which is made if need be, or a URL
    (`postgresql://user@host/name`). Raises `LeukoscopeError` when it does not answer.
    """
    engine = _engine(database)
    try:
        _migrate(engine)
    except DBAPIError as error:
        shown = engine.url.render_as_string(hide_password=True)
        cause = str(error.orig).strip().splitlines()[0].rstrip(".")
        raise LeukoscopeError(f"The database {shown} does not answer: {cause}.") from error
    reviews = Reviews(engine)
    try:
        yield reviews
    finally:
        reviews.close()


def _engine(database: str) -> sql.Engine:
    if "://" not in database:
        path = Path(database).expanduser().resolve()
        make_folder(path.parent)
        database = f"sqlite:///{path}"
    # Without a driver's name SQLAlchemy would take psycopg2.
    database = database.replace("postgres://", "postgresql://", 1)
    database = database.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        engine = sql.create_engine(database, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"This database needs the package {error.name}; for PostgreSQL install "
            f"leukoscope[postgresql]."
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            "A database is the path of an SQLite file or a URL: postgresql://user@host/name."
        ) from error
    if engine.dialect.name == "sqlite":
        sql.event.listen(engine, "connect", _prepare_sqlite)
        sql.event.listen(engine, "begin", lambda started: started.exec_driver_sql("BEGIN"))
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers beside a writer; what is committed is on disk, also when the power fails."""
    connection.isolation_level = None  # Python would leave migrations outside of transactions
    for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {setting}").close()


def _migrate(engine: sql.Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "leukoscope.serve:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # two services that start together take turns
            connection.execute(sql.text("SELECT pg_advisory_xact_lock(7165117)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
