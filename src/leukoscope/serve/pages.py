"""The pages that a person opens: the reviewing page, the model card, and how to use the API."""

import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from leukoscope import __version__
from leukoscope.serve.service import Service

STATIC = Path(__file__).parent / "static"


class Unversioned(StaticFiles):
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
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {"version": __version__, "model": service.model}

    def page(name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(environment.get_template(name).render(**shared, **values))

    @router.get("/")
    async def index() -> Response:
        return page("index.html", limits=service.limits)

    @router.get("/card")
    async def card() -> Response:
        return page("card.html", card=_html(service.model.card))

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        description = request.app.openapi()
        return page(
            "docs.html",
            api=description,
            operations=_operations(description),
            resolve=_resolver(description),
        )

    return router


def _html(markdown: str) -> Markup:
    """The card as HTML; HTML inside of it stays text, and its front matter is left out."""
    body = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(body))


def _operations(description: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation of an OpenAPI description with its path and method, in its order."""
    return [
        operation | {"path": path, "method": method.upper()}
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def _resolver(description: dict[str, Any]) -> Any:
    """A function from a schema to the one it refers to, by name."""

    def resolve(schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return description["components"]["schemas"][name] | {"name": name} if name else schema

    return resolve
