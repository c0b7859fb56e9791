"""A stand-in for the Hugging Face Hub on this machine: as much of it as its library asks for."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "a" * 40
TOKEN = "hf_secret"


@dataclass
class Shelf:
    """What the server holds, and what it was asked."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """The routes of the library's own calls, without xet."""

    shelf: Shelf

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer({"error": "Invalid username or password."}, status=401)
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.shelf.repos.setdefault(name, {})
            self.shelf.private[name] = asked.get("private", asked.get("visibility") == "private")
            return self.answer({"url": f"{self.host}/{name}"})
        if self.path == "/api/validate-yaml":  # of a README.md
            return self.answer({"errors": [], "warnings": []})
        if self.path.endswith("/preupload/main"):
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                one | {"actions": {"upload": {"href": f"{self.host}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if self.path.endswith("/commit/main"):
            return self.commit(self.path.split("/commit/")[0].removeprefix("/api/models/"), body)
        return self.answer({"error": "not known"}, status=404)

    def commit(self, name: str, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.shelf.repos[name][line["value"]["path"]] = content
            if line["key"] == "lfsFile":
                content = self.shelf.blobs[line["value"]["oid"]]
                self.shelf.repos[name][line["value"]["path"]] = content
        self.answer({"commitUrl": f"{self.host}/{name}/commit/{COMMIT}", "commitOid": COMMIT})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.shelf.blobs[hashlib.sha256(content).hexdigest()] = content
        self.answer({})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.shelf.asked.append(self.path)
        path = self.path.partition("?")[0].lstrip("/")
        name, _, file = path.partition("/resolve/")
        revision, _, file = file.partition("/")
        if "/tree/" in path:
            held = self.shelf.repos[path.removeprefix("api/models/").partition("/tree/")[0]]
            files = [
                {"type": "file", "path": one, "size": len(held[one]), "oid": COMMIT} for one in held
            ]
            return self.answer(files)
        if path.startswith("api/models/"):
            name, _, revision = path.removeprefix("api/models/").partition("/revision/")
            if name in self.shelf.repos and revision in ("main", "v1"):
                files = [{"rfilename": one} for one in self.shelf.repos[name]]
                return self.answer({"id": name, "sha": COMMIT, "siblings": files})
            code = "RepoNotFound" if name not in self.shelf.repos else "RevisionNotFound"
            return self.answer({"error": "no such thing"}, status=404, **{"X-Error-Code": code})
        if file and file in self.shelf.repos.get(name, {}) and revision == COMMIT:
            return self.send(self.shelf.repos[name][file])
        return self.answer({"error": "not known"}, status=404)

    @property
    def host(self) -> str:
        return f"http://{self.headers['Host']}"

    def answer(self, content: Any, *, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(content).encode(), status=status, **headers)

    def send(self, content: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        digest = hashlib.sha256(content).hexdigest()
        for key, value in ({"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT} | headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def server() -> tuple[ThreadingHTTPServer, Shelf]:
    """A server on a free port of this machine, and its shelf; `serve_forever` starts it."""
    shelf = Shelf()
    handler = type("Own", (Handler,), {"shelf": shelf})
    return ThreadingHTTPServer(("127.0.0.1", 0), handler), shelf
