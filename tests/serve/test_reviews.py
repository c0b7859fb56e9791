"""What a person decided is kept as they said it, for ever, on SQLite and on PostgreSQL."""

import csv
import io
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from colours import BLUE, GREEN, MODEL, RED, review, send, shas
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.serve.app import create_app
from leukoscope.serve.limits import Limits
from leukoscope.serve.pictures import keep
from leukoscope.serve.reviews import METADATA, TABLE, Review, Reviews, open_reviews
from leukoscope.serve.service import assemble

ONE = Review(
    id="1",
    person="Ada",
    sha256="a" * 64,
    name="é.png",
    patient="P1",
    classifier="f" * 64,
    suggestion="Pre",
    certainty=0.75,
    answer={"words": "fairly sure"},
    decision="confirmed",
    label="Pre",
)


def test_a_review_comes_back_as_it_was_kept(database: str) -> None:
    with open_reviews(database) as reviews:
        kept, new = reviews.add(ONE)
    with open_reviews(database) as reviews:  # as after a restart
        assert reviews.current() == [kept] == reviews.history(ONE.sha256)
    assert new
    assert replace(kept, time="", number=0) == ONE


def test_a_review_sent_twice_is_kept_once(database: str) -> None:
    with open_reviews(database) as reviews:
        first, second = reviews.add(ONE), reviews.add(ONE)
        assert (first[1], second[1]) == (True, False)
        assert first[0] == second[0]
        assert len(reviews.history(ONE.sha256)) == 1


def test_the_latest_word_counts_and_the_history_keeps_all(database: str) -> None:
    with open_reviews(database) as reviews:
        reviews.add(ONE)
        reviews.add(replace(ONE, id="2", decision="corrected", label="Early", person="Ben"))
        reviews.add(replace(ONE, id="3", sha256="b" * 64, patient="P2"))
        assert [one.id for one in reviews.current()] == ["3", "2"]
        assert [one.id for one in reviews.current(patient="P1")] == ["2"]
        assert [one.id for one in reviews.current(person="Ada")] == ["3"]
        assert [one.id for one in reviews.current(images=["b" * 64])] == ["3"]
        assert [one.id for one in reviews.current(before=3, limit=5)] == ["2"]
        assert reviews.disagreements() == {"a" * 64}
        reviews.add(replace(ONE, id="4", decision="withdrawn", label="", person="Ben"))
        assert [one.id for one in reviews.current()] == ["3"]
        assert [one.id for one in reviews.history("a" * 64)] == ["1", "2", "4"]
        assert reviews.disagreements() == set()


@pytest.mark.parametrize("change", [TABLE.delete(), TABLE.update().values(label="Pro")])
def test_the_database_itself_refuses_to_change_a_review(
    database: str, change: sql.Delete | sql.Update
) -> None:
    with open_reviews(database) as reviews:
        reviews.add(ONE)
        with pytest.raises(DBAPIError, match="never changed"), reviews._engine.begin() as begun:
            begun.execute(change)
        assert len(reviews.current()) == 1


def test_migrations_make_the_tables_that_the_code_uses(database: str) -> None:
    with open_reviews(database) as reviews, reviews._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.execute("CREATE INDEX reviews_by_image ON other (x)")  # in the way of ours
    connection.close()
    with pytest.raises(LeukoscopeError, match="does not answer"), open_reviews(str(path)):
        pass
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE other")
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    connection.close()
    with open_reviews(str(path)) as reviews:
        assert reviews.current() == []


def test_many_people_at_once_lose_nothing(database: str) -> None:
    with open_reviews(database) as reviews, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: reviews.add(replace(ONE, id=str(k))), range(40)))
        assert {one.id for one in reviews.history(ONE.sha256)} == {str(k) for k in range(40)}


@pytest.mark.parametrize("wrong", ["nonsense://x", "http://host/db"])
def test_what_is_no_database_is_said_in_a_sentence(wrong: str) -> None:
    with pytest.raises(UsageError, match="SQLite file or a URL"), open_reviews(wrong):
        pass


def test_a_database_that_is_not_there_is_said_without_its_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://me:secret@127.0.0.1:9/x?connect_timeout=1"
    with pytest.raises(LeukoscopeError, match="does not answer") as error, open_reviews(url):
        pass
    assert "secret" not in str(error.value)


# Over HTTP


def test_a_review_is_acknowledged_with_what_the_service_suggested(client: TestClient) -> None:
    (sha256,) = shas(send(client, RED))
    sent = review(sha256, "corrected", label="Pre", patient="P\0 1", person="Ada\u202e")
    response = client.post("/api/reviews", json=sent)
    assert response.status_code == 201
    kept = response.json()
    assert (kept["suggestion"], kept["label"], kept["decision"]) == ("Benign", "Pre", "corrected")
    assert (kept["patient"], kept["person"]) == ("P 1", "Ada")
    assert kept["classifier"] == MODEL.fingerprint
    assert client.post("/api/reviews", json=sent).status_code == 200
    assert client.get(f"/api/reviews/{sha256}").json()["reviews"] == [kept]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"decision": "corrected"}, 422),
        ({"decision": "corrected", "label": "Benign"}, 422),
        ({"decision": "corrected", "label": "Blast"}, 422),
        ({"decision": "confirmed", "label": "Pre"}, 422),
        ({"decision": "skipped", "label": "Pre"}, 422),
        ({"decision": "withdrawn"}, 409),
        ({"decision": "liked"}, 422),
        ({"decision": "confirmed", "sha256": "0" * 64}, 409),
        ({"decision": "confirmed", "sha256": "../../etc"}, 422),
        ({"decision": "confirmed", "id": "1"}, 422),
        ({"decision": "confirmed", "patient": "x" * 101}, 422),
        ({"decision": "confirmed", "admin": "yes"}, 422),
    ],
)
def test_a_review_that_cannot_be_is_refused(
    client: TestClient, more: dict[str, str], status: int
) -> None:
    (sha256,) = shas(send(client, RED))
    response = client.post("/api/reviews", json=review(sha256) | more)
    assert response.status_code == status
    assert isinstance(response.json()["detail"], str)
    assert client.get("/api/reviews").json()["reviews"] == []


def test_an_id_names_one_review(client: TestClient) -> None:
    red, blue = shas(send(client, RED, BLUE))
    first = review(red)
    assert client.post("/api/reviews", json=first).status_code == 201
    assert client.post("/api/reviews", json=first | {"sha256": blue}).status_code == 409


def test_a_decision_is_withdrawn_once(client: TestClient) -> None:
    (sha256,) = shas(send(client, RED))
    client.post("/api/reviews", json=review(sha256))
    withdrawal = review(sha256, "withdrawn")
    assert client.post("/api/reviews", json=withdrawal).status_code == 201
    assert client.post("/api/reviews", json=withdrawal).status_code == 200  # sent again
    assert client.post("/api/reviews", json=review(sha256, "withdrawn")).status_code == 409
    assert client.get("/api/reviews").json()["reviews"] == []


def test_a_restart_keeps_reviews_and_lets_them_be_changed(tmp_path: Path) -> None:
    database = str(tmp_path / "kept.sqlite")
    for turn in range(2):
        with (
            open_reviews(database) as reviews,
            TestClient(create_app(assemble(MODEL, reviews)), base_url="http://localhost") as client,
        ):
            if turn == 0:
                (sha256,) = shas(send(client, RED))
                assert client.post("/api/reviews", json=review(sha256)).status_code == 201
            else:  # the service has not seen the image since
                (before,) = client.get("/api/reviews").json()["reviews"]
                assert (before["label"], before["sha256"]) == ("Benign", sha256)
                changed = review(sha256, "corrected", label="Early")
                assert client.post("/api/reviews", json=changed).json()["label"] == "Early"


def test_a_long_list_comes_in_parts(client: TestClient) -> None:
    for sha256 in shas(send(client, RED, GREEN, BLUE)):
        client.post("/api/reviews", json=review(sha256))
    first = client.get("/api/reviews", params={"limit": 2}).json()
    rest = client.get("/api/reviews", params={"limit": 2, "before": first["next"]}).json()
    assert (len(first["reviews"]), len(rest["reviews"]), rest["next"]) == (2, 1, None)


def test_the_table_holds_no_formulas(client: TestClient) -> None:
    (sha256,) = shas(send(client, RED))
    client.post("/api/reviews", json=review(sha256, name="=cmd.png", patient="+1", person="a,b"))
    response = client.get("/api/reviews.csv", params={"sha256": sha256})
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert (row["name"], row["patient"], row["person"]) == ("'=cmd.png", "'+1", "a,b")
    assert (row["suggestion"], row["certainty"], row["words"]) == ("Benign", "0.919414", "sure")
    assert "attachment" in response.headers["content-disposition"]


def test_pictures_are_kept_when_that_is_wanted_and_only_then(
    tmp_path: Path, reviews: Reviews
) -> None:
    folder = tmp_path / "pictures"
    service = assemble(MODEL, reviews, pictures=folder)
    with TestClient(create_app(service), base_url="http://localhost") as client:
        red, blue, green = shas(send(client, RED, BLUE, GREEN))
        for one in (review(red), review(blue, "skipped")):
            assert client.post("/api/reviews", json=one).status_code == 201
    assert [file for file in folder.rglob("*") if file.is_file()] == [
        folder / red[:2] / f"{red}.png"
    ]
    assert (folder / red[:2] / f"{red}.png").read_bytes() == RED
    assert green not in {one.sha256 for one in reviews.current()}


def test_a_picture_that_cannot_be_kept_is_a_503_and_no_review(
    tmp_path: Path, reviews: Reviews
) -> None:
    folder = tmp_path / "pictures"
    folder.write_text("a file where the folder was")
    service = assemble(MODEL, reviews, pictures=folder)
    with TestClient(create_app(service), base_url="http://localhost") as client:
        (sha256,) = shas(send(client, RED))
        refused = client.post("/api/reviews", json=review(sha256))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert not list(reviews.current())


@pytest.mark.parametrize(
    ("start", "suffix"), [(b"II\0*", ".tif"), (b"MM*\0", ".tif"), (b"unheard of", "")]
)
def test_a_picture_with_an_odd_beginning_is_kept(tmp_path: Path, start: bytes, suffix: str) -> None:
    assert keep(tmp_path, "ab" * 32, start + b"rest") == tmp_path / "ab" / f"{'ab' * 32}{suffix}"


def test_a_database_that_fails_is_a_503_and_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise sql.exc.OperationalError("", {}, Exception("disk is full"))

    with (
        open_reviews(str(tmp_path / "r.sqlite")) as reviews,
        TestClient(create_app(assemble(MODEL, reviews)), base_url="http://localhost") as client,
    ):
        (sha256,) = shas(send(client, RED))
        monkeypatch.setattr(Reviews, "add", broken)
        monkeypatch.setattr(Reviews, "check", broken)
        refused = client.post("/api/reviews", json=review(sha256))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200


def test_limits_are_named_and_checked() -> None:
    from leukoscope.serve.limits import limits

    assert limits(["images=8", "answer-seconds=2.5"]) == Limits(images=8, answer_seconds=2.5)
    for wrong, sentence in (
        ("image=8", "Did you mean images?"),
        ("images=0", "greater than or equal to 1"),
        ("images", "KEY=VALUE"),
    ):
        with pytest.raises(UsageError, match=sentence):
            limits([wrong])
