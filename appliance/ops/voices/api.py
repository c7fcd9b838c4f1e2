"""The REST part about voices: a table of what can be asked, and what answers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from appliance.config import Config
from appliance.ops.voices import messages
from appliance.ops.voices.access import SESSION_S, Access
from appliance.ops.voices.answers import (
    COOKIE,
    Handler,
    answer,
    body,
    let_in,
    session_of,
    with_cookie,
    with_sentences,
)
from appliance.ops.voices.jobs import Jobs
from appliance.ops.voices.openapi import Operation, description
from appliance.ops.voices.telephone import Telephone
from appliance.voices.card import Card, card
from appliance.voices.errors import ConsentLacking, VoiceError
from appliance.voices.profile import Profile
from appliance.voices.store import VoiceStore

# The page loads nothing from elsewhere, and no other page may frame it.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; img-src data:; media-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
SCRIPTS = ("page.js", "voices.js", "recordings.js", "invitations.js")
SCRIPT_HEADERS = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


class Voices(msgspec.Struct, frozen=True):
    """All voices, and a sentence for each that cannot be read."""

    voices: list[Card]
    damaged: list[str]


class Asked(NamedTuple):
    """One operation, and what answers it."""

    operation: Operation
    handler: Handler


class VoicesApi:
    """Everything under /api, and the page at /voices, of one `ops` process."""

    def __init__(self, config: Config) -> None:
        self._access = Access(config.ops.access_file)
        self._jobs = Jobs(config)
        self._telephone = Telephone(config)
        self._voices = config.voices
        self._opened: VoiceStore | None = None
        self._opening = Lock()

    def routes(self) -> list[Route]:
        """For the application."""
        page = _file("voices.html")
        scripts = {name: _file(name) for name in SCRIPTS}
        table = self._table()
        described = description([one.operation for one in table])

        async def show_page(_request: Request) -> Response:
            return HTMLResponse(page, headers=PAGE_HEADERS)

        async def show_script(request: Request) -> Response:
            name = request.url.path.rpartition("/")[2]
            return Response(scripts[name], headers=SCRIPT_HEADERS, media_type="text/javascript")

        async def show_description(_request: Request) -> Response:
            return answer(described)

        return [
            Route("/voices", show_page, methods=["GET"]),
            *(Route(f"/voices/{name}", show_script, methods=["GET"]) for name in SCRIPTS),
            Route("/api/openapi.json", show_description, methods=["GET"]),
            *(self._route(path, [one for one in table if one.operation.path == path]) for path in described["paths"]),
        ]

    async def close(self) -> None:
        """Stop what is under way, and forget what was uploaded."""
        await self._jobs.close()
        if self._opened:
            self._opened.close()

    def _table(self) -> list[Asked]:
        return [*self._for_visits(), *self._for_voices(), *self._for_enrolments(), *self._for_invitations()]

    def _for_visits(self) -> list[Asked]:
        entering: dict[str, Any] = {"open": True, "refuses": (403, 409, 429)}
        return [
            _asked("GET /api/session", "Who is logged in", self._visit, None, messages.Visit, open=True),
            _asked(
                "POST /api/password",
                "First visit: set the password",
                self._first,
                messages.FirstVisit,
                messages.Visit,
                **entering,
            ),
            _asked("POST /api/session", "Log in", self._log_in, messages.Login, messages.Visit, **entering),
            _asked("DELETE /api/session", "Log out", self._log_out, None, messages.Visit),
            _asked("POST /api/token", "Make a token for programs", self._token, None, messages.Token),
        ]

    def _for_voices(self) -> list[Asked]:
        one = "/api/voices/{speaker_id}"
        return [
            _asked("GET /api/voices", "All voices", self._list, None, Voices, refuses=(503,)),
            _asked(f"GET {one}", "One voice", self._show, None, Card, refuses=(404, 503)),
            _asked(f"PATCH {one}", "Give it another name", self._rename, messages.Rename, Card, refuses=(404, 503)),
            _asked(f"DELETE {one}", "Delete it for good", self._delete, None, None, status=204, refuses=(404, 503)),
            _asked(
                f"POST {one}/withdrawal",
                "Record that its consent is withdrawn",
                self._withdraw,
                None,
                Card,
                refuses=(404, 409, 503),
            ),
            _asked(
                f"POST {one}/speech",
                "Hear it say something, as WAV",
                self._say,
                messages.Sentence,
                bytes,
                refuses=(404, 409, 503),
            ),
        ]

    def _for_enrolments(self) -> list[Asked]:
        return [
            _asked(
                "POST /api/recordings",
                "Upload a WAV or FLAC; ?name=",
                self._upload,
                bytes,
                messages.Uploaded,
                status=201,
                refuses=(400, 409, 413, 503, 507),
            ),
            _asked("DELETE /api/recordings/{id}", "Forget it", self._forget, None, None, status=204, refuses=(404,)),
            _asked(
                "POST /api/enrolments",
                "Enrol a voice",
                self._enrol,
                messages.Enrolment,
                messages.Progress,
                status=202,
                refuses=(404, 409),
            ),
            _asked(
                "GET /api/enrolments/{id}", "How far it is", self._progress, None, messages.Progress, refuses=(404,)
            ),
        ]

    def _for_invitations(self) -> list[Asked]:
        return [
            _asked(
                "GET /api/invitations",
                "Who may enrol by telephone",
                self._invited,
                None,
                messages.Invitations,
                refuses=(503,),
            ),
            _asked(
                "POST /api/invitations",
                "Invite somebody to enrol by telephone",
                self._invite,
                messages.Invite,
                messages.Code,
                status=201,
                refuses=(409, 503),
            ),
            _asked(
                "DELETE /api/invitations/{id}",
                "Take an invitation back",
                self._uninvite,
                None,
                None,
                status=204,
                refuses=(404, 503),
            ),
        ]

    def _route(self, path: str, table: list[Asked]) -> Route:
        """One for all methods of a path, so that whoever takes another one is told all that there are."""
        handlers = {one.operation.method: self._guarded(one) for one in table}

        async def handle(request: Request) -> Response:
            return await handlers["GET" if request.method == "HEAD" else request.method](request)

        return Route(path, handle, methods=list(handlers))

    def _guarded(self, one: Asked) -> Handler:
        async def handle(request: Request) -> Response:
            if not one.operation.open:
                let_in(request, self._access)
            return await one.handler(request)

        return with_sentences(handle)

    # Who is there

    async def _visit(self, request: Request) -> Response:
        session = session_of(request, self._access)
        if session:
            return answer(messages.Visit("in", session.csrf))
        return answer(messages.Visit("new" if self._access.is_new else "out"))

    async def _first(self, request: Request) -> Response:
        asked = await body(request, messages.FirstVisit)
        session = await asyncio.to_thread(self._access.set_password, asked.secret, asked.password)
        return with_cookie(request, answer(messages.Visit("in", session.csrf)), session.cookie, SESSION_S)

    async def _log_in(self, request: Request) -> Response:
        asked = await body(request, messages.Login)
        session = await asyncio.to_thread(self._access.log_in, asked.password)
        return with_cookie(request, answer(messages.Visit("in", session.csrf)), session.cookie, SESSION_S)

    async def _log_out(self, request: Request) -> Response:
        self._access.log_out(request.cookies.get(COOKIE, ""))
        return with_cookie(request, answer(messages.Visit("out")), "", 0)

    async def _token(self, _request: Request) -> Response:
        return answer(messages.Token(self._access.new_token()))

    # Voices

    async def _list(self, _request: Request) -> Response:
        found = await self._in_store(lambda store: list(store.survey()))
        cards = [card(one, _now()) for one in found if isinstance(one, Profile)]
        return answer(Voices(cards, [str(one) for one in found if isinstance(one, VoiceError)]))

    async def _show(self, request: Request) -> Response:
        profile = await self._in_store(lambda store: store.get(_id(request)))
        return answer(card(profile, _now()))

    async def _rename(self, request: Request) -> Response:
        asked = await body(request, messages.Rename)
        return await self._edited(request, lambda one: msgspec.structs.replace(one, name=asked.name))

    async def _withdraw(self, request: Request) -> Response:
        return await self._edited(request, _withdrawn)

    async def _say(self, request: Request) -> Response:
        """Two headers say whose voice it is."""
        asked = await body(request, messages.Sentence)
        await self._in_store(lambda store: store.for_synthesis(_id(request), _now()))  # its refusals, with their status
        said = await self._jobs.say(_id(request), asked)
        headers = {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-dragoman-voice": "own" if said.is_own else "stock",
            "x-dragoman-sentence": quote(said.sentence),
        }
        return Response(said.wav, headers=headers, media_type="audio/wav")

    async def _edited(self, request: Request, change: Callable[[Profile], Profile]) -> Response:
        profile = await self._in_store(lambda store: store.edit(_id(request), change))
        return answer(card(profile, _now()))

    async def _delete(self, request: Request) -> Response:
        await self._in_store(lambda store: store.delete(_id(request)))
        return Response(status_code=204)

    async def _in_store(self, ask: Callable[[VoiceStore], Any]) -> Any:
        """In a thread, so that a slow disk holds up nobody else; the store is opened when it is first needed."""

        def asking() -> Any:
            with self._opening:  # once in a process, whoever asks first
                if self._opened is None:
                    self._opened = VoiceStore(self._voices.folder, self._voices.key_file)
            return ask(self._opened)

        return await asyncio.to_thread(asking)

    # Enrolment

    async def _upload(self, request: Request) -> Response:
        name = request.query_params.get("name", "recording.wav")
        return answer(await self._jobs.upload(name, request.stream()), 201)

    async def _forget(self, request: Request) -> Response:
        self._jobs.delete(request.path_params["id"])
        return Response(status_code=204)

    async def _enrol(self, request: Request) -> Response:
        return answer(self._jobs.start(await body(request, messages.Enrolment)), 202)

    async def _progress(self, request: Request) -> Response:
        return answer(self._jobs.progress(request.path_params["id"]))

    # By telephone

    async def _invited(self, _request: Request) -> Response:
        return answer(await self._in_store(lambda store: self._telephone.invited(store, _now())))

    async def _invite(self, request: Request) -> Response:
        asked = await body(request, messages.Invite)
        return answer(await self._in_store(lambda store: self._telephone.invite(store, asked, _now())), 201)

    async def _uninvite(self, request: Request) -> Response:
        await self._in_store(lambda store: store.invitations.take_back_one(request.path_params["id"]))
        return Response(status_code=204)


def _file(name: str) -> str:
    return resources.files("appliance.ops.voices").joinpath(name).read_text(encoding="utf-8")


def _id(request: Request) -> str:
    return str(request.path_params["speaker_id"])


def _withdrawn(profile: Profile) -> Profile:
    if profile.consent is None:
        raise ConsentLacking(f"{profile.name} has given no consent that could be withdrawn")
    return msgspec.structs.replace(profile, consent=msgspec.structs.replace(profile.consent, withdrawn_at=_now()))


def _now() -> datetime:
    return datetime.now(UTC)


def _asked(what: str, summary: str, handler: Handler, takes: Any, gives: Any, **more: Any) -> Asked:
    """`what` is its method and path; it answers 200 to those who are logged in, if `more` does not say otherwise."""
    method, path = what.split(" ")
    return Asked(Operation(method, path, summary, takes, gives, **({"status": 200, "open": False} | more)), handler)
