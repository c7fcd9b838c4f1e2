"""Requests and answers of the REST part: JSON in both directions, who may ask, one sentence for everything refused."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from appliance.ops.voices.access import Access, AccessDenied, Session
from appliance.ops.voices.jobs import Refused
from appliance.ops.voices.messages import Problem
from appliance.ops.voices.openapi import SAFE
from appliance.voices.errors import NotANumber, StoreUnusable, VoiceDamaged, VoiceError, VoiceMissing

COOKIE = "dragoman"
MOST_JSON_BYTES = 64 << 10

Handler = Callable[[Request], Awaitable[Response]]
Content = TypeVar("Content")


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that no cache keeps."""
    kept = {"cache-control": "no-store", "x-content-type-options": "nosniff", **(headers or {})}
    return Response(msgspec.json.encode(content), status, kept, media_type="application/json")


def with_sentences(handler: Handler) -> Handler:
    """What `handler` refuses becomes a JSON error."""

    async def answering(request: Request) -> Response:
        try:
            return await handler(request)
        except (AccessDenied, Refused) as error:
            return answer(Problem(str(error)), error.status)
        except VoiceError as error:
            return answer(Problem(str(error)), _status(error))
        except HTTPException as error:
            return answer(Problem(str(error.detail)), error.status_code)

    return answering


def _status(error: VoiceError) -> int:
    """What is wrong with the request itself is 400; what is only in its way now, 409."""
    if isinstance(error, NotANumber):
        return 400
    if isinstance(error, VoiceMissing):
        return 404
    if isinstance(error, StoreUnusable):
        return 503
    if isinstance(error, VoiceDamaged):
        return 500
    return 409


async def body(request: Request, kind: type[Content]) -> Content:
    """The request's JSON as `kind`. Raises Refused."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_JSON_BYTES:
            raise Refused(413, f"the request is longer than {MOST_JSON_BYTES >> 10} kB")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise Refused(400, f"the request cannot be understood: {error}") from None


def session_of(request: Request, access: Access) -> Session | None:
    """Who is logged in."""
    return access.session(request.cookies.get(COOKIE, ""))


def let_in(request: Request, access: Access) -> None:
    """Only somebody logged in, whose page asked for it, or a program with the token. Raises AccessDenied."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() == "bearer" and access.is_token(token.strip()):
            return
        raise AccessDenied(401, "this is not the token; make a new one on the page")
    session = session_of(request, access)
    if session is None:
        raise AccessDenied(401, "nobody is logged in; log in on the page, or send a token")
    # The cookie alone proves nothing: another site's page could make the browser send it along.
    sent = request.headers.get("x-csrf-token", "")
    if request.method not in SAFE and not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise AccessDenied(403, "the page is too old; load it again")


def with_cookie(request: Request, response: Response, cookie: str, seconds: int) -> Response:
    """Have the browser keep the session, and send it over TLS alone, if it came so; at home it is http://127.0.0.1."""
    over_tls = request.url.scheme == "https"
    response.set_cookie(COOKIE, cookie, max_age=seconds, httponly=True, samesite="strict", path="/", secure=over_tls)
    return response
