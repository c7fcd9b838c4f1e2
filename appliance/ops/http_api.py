"""What operators and their programs can ask over HTTP. Nothing can be changed here but voices: voices/api.py."""

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib import resources

import msgspec
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from appliance.ops import metrics
from appliance.ops.history import REMEMBERED, Event
from appliance.ops.observer import Observer
from appliance.ops.voices.answers import answer
from appliance.ops.voices.api import VoicesApi
from appliance.ops.voices.messages import Problem
from appliance.ops.window import Report
from appliance.supervision.snapshot import Snapshot

LOOK_S = 0.25
REST = "/api/"  # answers JSON, also to what it refuses
PING_S = 15.0  # an idle stream says so much that whoever is between does not cut it
# The page loads nothing from elsewhere, and no other page may frame it.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; frame-ancestors 'none'"
}


class PageState(msgspec.Struct, frozen=True):
    """What the page shows."""

    missing: list[str]  # of what calls need; empty: ready
    report: Report
    legs_unheard: int
    lanes_unspoken: int
    snapshot: Snapshot


class BadQueryError(Exception):
    """The query of a URL cannot be understood; the message is one sentence."""


def application(observer: Observer, voices: VoicesApi, is_closing: Callable[[], bool]) -> Starlette:
    """The routes. Streams end when `is_closing`."""
    registry = metrics.registry(observer)
    page = resources.files("appliance.ops").joinpath("page.html").read_text(encoding="utf-8")

    async def show_page(_request: Request) -> Response:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    async def show_state(_request: Request) -> Response:
        return _json(_page_state(observer))

    async def show_metrics(_request: Request) -> Response:
        return Response(metrics.exposition(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def show_report(_request: Request) -> Response:
        return PlainTextResponse(observer.report().as_text())

    async def live(_request: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_request: Request) -> Response:
        missing = observer.missing()
        return PlainTextResponse("\n".join(missing or ["ready"]) + "\n", status_code=503 if missing else 200)

    async def show_events(request: Request) -> Response:
        limit, after = _whole_numbers(request, limit=(REMEMBERED, 1, REMEMBERED), after=(0, 0, None))
        return _json(observer.history.after(after)[-limit:])

    async def stream_events(request: Request) -> Response:
        (after,) = _whole_numbers(request, after=(_last_seen(request), 0, None))
        stream = _stream(observer, after, is_closing)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    routes = {
        "/": show_page,
        "/state": show_state,
        "/metrics": show_metrics,
        "/health/report": show_report,
        "/health/live": live,
        "/health/ready": ready,
        "/events": show_events,
        "/events/stream": stream_events,
    }

    async def not_found(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith(REST):
            return answer(Problem(f"there is no {request.url.path} here; see /api/openapi.json"), 404)
        known = ", ".join((*routes, "/voices", "/api/openapi.json"))
        return PlainTextResponse(f"there is no {request.url.path} here; there are {known}\n", status_code=404)

    app = Starlette(
        routes=[*(Route(path, endpoint, methods=["GET"]) for path, endpoint in routes.items()), *voices.routes()],
        exception_handlers={404: not_found, BadQueryError: _refused, HTTPException: _failed},
    )
    app.router.redirect_slashes = False  # a sentence says more than an empty redirect
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=400)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(REST):
        return answer(Problem(f"{request.method} {request.url.path}: {error.detail}"), error.status_code, error.headers)
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=error.headers)


def _page_state(observer: Observer) -> PageState:
    return PageState(
        missing=observer.missing(),
        report=observer.report(),
        legs_unheard=observer.legs_unheard,
        lanes_unspoken=observer.lanes_unspoken,
        snapshot=observer.snapshot(),
    )


async def _stream(observer: Observer, after: int, is_closing: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Server-sent events: those after number `after`, then each new one."""
    quiet_s = 0.0
    while not is_closing():
        news = observer.history.after(after)
        for event in news:
            yield _server_sent(event)
            after = event.id
        quiet_s = 0.0 if news else quiet_s + LOOK_S
        if quiet_s >= PING_S:
            yield b": still here\n\n"
            quiet_s = 0.0
        await asyncio.sleep(LOOK_S)


def _server_sent(event: Event) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (event.id, msgspec.json.encode(event))


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json", headers={"cache-control": "no-store"})


def _last_seen(request: Request) -> int:
    """What a browser that lost its stream had seen last."""
    number = request.headers.get("last-event-id", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 20 else 0


def _whole_numbers(request: Request, **known: tuple[int, int, int | None]) -> list[int]:
    """The values of the query, in the order of `known`: name → (default, least, most).

    Raises BadQueryError.
    """
    for name in request.query_params:
        if name not in known:
            raise BadQueryError(f'there is no "{name}" to ask {request.url.path} for; there is {", ".join(known)}')
    return [_whole_number(request, name, *row) for name, row in known.items()]


def _whole_number(request: Request, name: str, default: int, least: int, most: int | None) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.isascii() and text.isdigit() and len(text) < 20
    if not digits or int(text) < least or (most is not None and int(text) > most):
        allowed = f"from {least} to {most}" if most else f"from {least} on"
        raise BadQueryError(f'{name}: "{text}" will not do; write a whole number {allowed}')
    return int(text)
