"""What holds for every request, whatever it asks: its headers, its log line, where it came from."""

import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leukoscope.serve.logs import log
from leukoscope.serve.metrics import Metrics

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)


class Prefixed:
    """The application below the path at which a proxy shows it.

    The prefix is a given one, or what the proxy says in `X-Forwarded-Prefix`; a proxy may leave it
    in the path or take it off.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self.app, self.prefix = app, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            said = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
            prefix = said if _PREFIX.fullmatch(said) else self.prefix
            path = scope["path"]
            if prefix and path == prefix:  # the page's addresses are relative to the slash
                await RedirectResponse(f"{prefix}/")(scope, receive, send)
                return
            if prefix:
                below = path.startswith(f"{prefix}/")
                scope.update(root_path=prefix, path=path if below else prefix + path)
        await self.app(scope, receive, send)


class Observed:
    """Every answer with its security headers and an id; every request counted and logged.

    A request that fails is answered here too, so that this answer is like the others.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, request = time.perf_counter(), 0, uuid.uuid4().hex
        state: dict[str, Any] = scope.setdefault("state", {})

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request
                headers.setdefault("cache-control", "no-store")
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self.app(scope, receive, send_observed)
        except Exception:
            log.exception("a request failed", extra={"request": request})
            if status:  # half an answer is out: the server has to cut the connection
                raise
            failure = JSONResponse({"detail": "The service failed; its log says why."}, 500)
            await failure(scope, receive, send_observed)
        finally:
            seconds = time.perf_counter() - started
            # The route, not the path, which names an image.
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.request(route, scope["method"], status, seconds)
            fields: dict[str, object] = {
                "request": request,
                "method": scope["method"],
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
                "client": (scope.get("client") or ("unknown",))[0],
            }
            fields |= {name: state[name] for name in ("person", "images") if name in state}
            log.info("request", extra=fields)


class SameSite:
    """Requests that change something, from our own page or from no page at all.

    Another site that is open in the same browser cannot send images or reviews. Browsers say where
    a request comes from in `Sec-Fetch-Site`; older ones in `Origin` alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            own = origin is None or urlsplit(origin).netloc == headers.get("host")
            site = headers.get("sec-fetch-site", "none" if own else "cross-site")
            if site not in ("same-origin", "none"):
                refusal = JSONResponse({"detail": "Another site may not send this."}, 403)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


class OnlyThisMachine:
    """Requests to this machine by a name of its own: what holds while there are no keys.

    A site whose name is made to lead here, and a proxy that opens the service to a network, are
    told to come with a key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            forwarded = any(name in headers for name in ("x-forwarded-for", "forwarded"))
            if forwarded or not _LOCAL.fullmatch(headers.get("host", "")):
                detail = (
                    "Without keys the service answers this machine only, as localhost. Make a key "
                    "(leukoscope keys add) and start it with --keys."
                )
                await JSONResponse({"detail": detail}, 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)
