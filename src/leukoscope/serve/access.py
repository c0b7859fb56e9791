"""Who asks? The holder of a key, or, without keys, somebody at this machine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from leukoscope.serve.keys import Keyring


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is: `person` is the name of the key, None where there are no keys."""

    person: str | None
    client: str  # one party, for limits


def identify(keyring: Keyring | None) -> Callable[..., Awaitable[Caller]]:
    """A dependency of routes: the caller, or 401."""
    if keyring is None:

        async def anybody(request: Request) -> Caller:
            return Caller(None, request.client.host if request.client else "unknown")

        return anybody
    bearer = HTTPBearer(
        auto_error=False, description="A key made by `leukoscope keys add NAME --keys FILE`."
    )

    async def known(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Caller:
        name = keyring.name(given.credentials) if given else None
        if name is None:
            raise HTTPException(
                401,
                "This service needs a key: Authorization: Bearer KEY."
                if given is None
                else "This key is not known here.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        request.state.person = name
        return Caller(name, name)

    return known
