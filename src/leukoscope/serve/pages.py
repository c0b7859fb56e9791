"""The pages that a person opens: the reviewing page, the model card, and how to use the API."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from leukoscope import __version__
from leukoscope.serve.service import Service

STATIC = Path(__file__).parent / "static"
_SOON = 1.0  # seconds


class Revalidated(StaticFiles):
    """Static files that a browser asks for again after an update."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """The file, to be kept only as long as it is the same."""
        response = super().file_response(*args, **options)
        response.headers["cache-control"] = "no-cache"
        return response


def routes(service: Service) -> APIRouter:
    """`/`, `/card` and `/docs`. They hold nothing of anybody, and so need no key."""
    router = APIRouter(include_in_schema=False)
    environment = Environment(
        loader=PackageLoader("leukoscope.serve"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {"version": __version__, "model": service.model, "limits": service.limits}

    def page(name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(environment.get_template(name).render(**shared, **values))

    @cache
    def prepare() -> None:
        """Once: whoever opens the page will ask for heat maps, and other clients may never. After
        the page, which an import would hold up; by a daemon, for which nobody waits at the end."""
        timer = Timer(_SOON, service.model.prepare)
        timer.daemon = True
        timer.start()

    @router.get("/")
    async def index() -> Response:
        prepare()
        return page("index.html")

    @router.get("/card")
    async def card() -> Response:
        return page("card.html", card=_html(service.model.card))

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        description = request.app.openapi()
        return page(
            "docs.html",
            api=description,
            about=_html(description["info"]["description"]),
            sections=_sections(description),
            resolve=_resolver(description),
            base=str(request.base_url).rstrip("/"),
            keys=service.keyring is not None,
        )

    return router


def _html(markdown: str) -> Markup:
    """Markdown as HTML; HTML inside of it stays text, and front matter is left out."""
    body = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(body)
    # The page's own rules forbid styles in attributes.
    return Markup(re.sub(r' style="text-align:(\w+)"', r' class="\1"', html))


def _sections(description: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The operations of an OpenAPI description under their tags, in their order."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            shown = operation | {"path": path, "method": method.upper()}
            sections.setdefault(tag, []).append(shown)
    return list(sections.items())


def _resolver(description: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from a reference to the schema that it means, with its name."""

    def resolve(schema: dict[str, Any]) -> dict[str, Any]:
        name = schema["$ref"].rpartition("/")[2]
        return {"name": name, **description["components"]["schemas"][name]}

    return resolve
