"""Who is let in, and what every answer carries."""

import json
from pathlib import Path

import pytest
from colours import MODEL, RED, review, send, shas
from starlette.testclient import TestClient

from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.serve import keys
from leukoscope.serve.app import create_app
from leukoscope.serve.reviews import Reviews
from leukoscope.serve.server import Settings, check, listen, serve
from leukoscope.serve.service import assemble


def opened(reviews: Reviews, file: Path, **more: str) -> TestClient:
    app = create_app(assemble(MODEL, reviews, keyring=keys.Keyring(file)), **more)
    return TestClient(app, base_url="http://smears.example")


def test_a_key_lets_in_and_names_the_person(tmp_path: Path, reviews: Reviews) -> None:
    file = tmp_path / "keys.csv"
    secret = keys.add(file, "Ada")
    with opened(reviews, file) as client:
        assert send(client, RED).status_code == 401
        client.headers["Authorization"] = f"Bearer {secret}"
        (sha256,) = shas(send(client, RED))
        kept = client.post("/api/reviews", json=review(sha256, person="Somebody else")).json()
        assert kept["person"] == "Ada"
        assert client.get("/api/about").json()["person"] == "Ada"


WRONG = ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer \xff\xfe", "bearer" + " x" * 1000]


@pytest.mark.parametrize("given", WRONG)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/predict"),
        ("GET", "/api/explain?sha256=" + "0" * 64),
        ("GET", "/api/image?sha256=" + "0" * 64),
        ("POST", "/api/reviews"),
        ("GET", "/api/reviews"),
        ("GET", "/api/reviews.csv"),
        ("GET", "/api/reviews/" + "0" * 64),
        ("GET", "/api/about"),
        ("GET", "/api/card"),
        ("GET", "/metrics"),
    ],
)
def test_everything_that_tells_or_changes_needs_a_right_key(
    keyed: TestClient, method: str, path: str, given: str
) -> None:
    response = keyed.request(method, path, headers={"Authorization": given.encode("latin-1")})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    from leukoscope.serve.reviews import _engine

    file = tmp_path_factory.mktemp("keys") / "keys.csv"
    keys.add(file, "Ada")
    return opened(Reviews(_engine(str(file.with_suffix(".sqlite")))), file)


@pytest.mark.parametrize("path", ["/", "/card", "/docs", "/health", "/static/app.js"])
def test_what_holds_nothing_of_anybody_needs_none(keyed: TestClient, path: str) -> None:
    assert keyed.get(path).status_code == 200


def test_a_removed_key_is_refused_at_once(tmp_path: Path, reviews: Reviews) -> None:
    file = tmp_path / "keys.csv"
    secret = keys.add(file, "Ada")
    with opened(reviews, file) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert client.get("/api/about").status_code == 200
        keys.remove(file, "Ada")
        assert client.get("/api/about").status_code == 401
        file.unlink()
        assert client.get("/api/about").status_code == 401


def test_the_file_holds_hashes_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    secret = keys.add(file, "Ada")
    assert secret not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert [key.name for key in keys.read(file)] == ["Ada"]
    for name in ("Ada", "", "two\nlines"):
        with pytest.raises(UsageError):
            keys.add(file, name)
    with pytest.raises(UsageError, match="Did you mean Ada"):
        keys.remove(file, "ada")


def test_a_damaged_file_of_keys_lets_nobody_in(tmp_path: Path, reviews: Reviews) -> None:
    file = tmp_path / "keys.csv"
    secret = keys.add(file, "Ada")
    with opened(reviews, file) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert send(client, RED).status_code == 200
        whole = file.read_bytes()
        file.write_text("half of a line")
        assert [send(client, RED).status_code for _ in range(2)] == [401, 401]
        file.write_bytes(whole)
        assert send(client, RED).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "laboratory.example"])
def test_an_open_address_needs_keys(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leukoscope keys add"):
        serve(Settings(host=host, classifier=tmp_path))
    check(Settings(host=host, keys=tmp_path))


def test_without_a_classifier_it_says_what_to_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leukoscope.learn import folder

    monkeypatch.setattr(folder, "DEFAULT", tmp_path / "none")
    with pytest.raises(UsageError, match="leukoscope serve FOLDER"):
        serve(Settings(port=0, database=str(tmp_path / "r.sqlite")))


def test_a_port_that_is_taken_is_said_with_another_one() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LeukoscopeError, match=f"--port {port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "smears.example"},
        {"host": "localhost.evil.example"},
        {"x-forwarded-for": "10.1.2.3"},
        {"forwarded": "for=10.1.2.3"},
    ],
)
def test_without_keys_only_this_machine_is_answered(
    client: TestClient, headers: dict[str, str]
) -> None:
    response = client.get("/api/about", headers=headers)
    assert (response.status_code, "--keys" in response.text) == (403, True)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_this_machine_has_many_names(client: TestClient, host: str) -> None:
    assert client.get("/api/about", headers={"host": host}).status_code == 200


def test_another_site_cannot_send_anything(client: TestClient) -> None:
    for site in ("cross-site", "same-site"):
        assert client.post("/api/reviews", headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/health", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    for origin, status in (("https://elsewhere.example", 403), ("http://localhost", 422)):
        assert client.post("/api/reviews", headers={"origin": origin}).status_code == status


@pytest.mark.parametrize("path", ["/", "/docs", "/card", "/api/about", "/nope", "/static/page.css"])
def test_every_answer_forbids_what_the_page_does_not_need(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert len(headers["x-request-id"]) == 32


def test_pages_name_nothing_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs", "/card", "/static/page.css", "/static/app.js", "/static/icon.svg"):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        text = text.replace("http://localhost", "")
        assert "http://" not in text
        assert "https://" not in text


def test_the_card_is_text_whatever_is_in_it(client: TestClient) -> None:
    page = client.get("/card").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "library_name" not in page


def test_the_interface_page_names_every_operation(client: TestClient) -> None:
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page


@pytest.mark.parametrize("path", ["/api/about", "/smears/api/about"])
@pytest.mark.parametrize("how", ["fixed", "header"])
def test_a_proxy_shows_it_below_a_path(
    tmp_path: Path, reviews: Reviews, path: str, how: str
) -> None:
    file = tmp_path / "keys.csv"
    secret = keys.add(file, "Ada")
    headers = {"Authorization": f"Bearer {secret}", "x-forwarded-for": "10.1.2.3"}
    if how == "header":
        headers["x-forwarded-prefix"] = "/smears"
    with opened(reviews, file, **({"prefix": "/smears"} if how == "fixed" else {})) as client:
        assert client.get(path, headers=headers).status_code == 200
        assert (
            "http://smears.example/smears/api/predict" in client.get("/docs", headers=headers).text
        )
        slash = client.get("/smears", headers=headers, follow_redirects=False)
        assert slash.headers["location"] == "/smears/"


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b?", "javascript:", "/<script>"])
def test_a_prefix_that_is_no_path_is_ignored(client: TestClient, prefix: str) -> None:
    response = client.get("/docs", headers={"x-forwarded-prefix": prefix})
    assert "http://localhost/api/predict" in response.text


def test_figures_count_what_happened(client: TestClient) -> None:
    (sha256, _) = shas(send(client, RED, b"no picture"))
    client.post("/api/reviews", json=review(sha256))
    client.get("/nope")
    client.request("MADE-UP", "/nope")
    text = client.get("/metrics").text
    assert 'leukoscope_images_total{outcome="answered"} 1.0' in text
    assert 'leukoscope_images_total{outcome="unreadable"} 1.0' in text
    assert 'leukoscope_reviews_total{decision="confirmed"} 1.0' in text
    assert 'route="/api/predict",status="200"} 1.0' in text
    assert 'method="GET",route="other",status="404"} 1.0' in text
    assert "MADE-UP" not in text
    assert sha256 not in text


def test_it_says_what_it_is(client: TestClient) -> None:
    about = client.get("/api/about").json()
    assert about["classifier"]["fingerprint"] == MODEL.fingerprint
    assert about["limits"]["images"] == 32
    assert client.get("/api/card").text == MODEL.card
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_an_error_of_the_program_is_logged_and_not_told(
    reviews: Reviews, caplog: pytest.LogCaptureFixture
) -> None:
    from dataclasses import replace

    def broken(pixels: object) -> None:
        raise RuntimeError("inner secret")

    app = create_app(assemble(replace(MODEL, answer=broken), reviews))  # type: ignore[arg-type]
    with (
        TestClient(app, base_url="http://localhost") as client,
        caplog.at_level("INFO"),
    ):
        response = send(client, RED)
        assert client.get("/health").status_code == 200
    assert response.status_code == 500
    assert "inner secret" not in json.dumps(response.json())
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"] in {getattr(r, "request", "") for r in caplog.records}
    assert "inner secret" in caplog.text
