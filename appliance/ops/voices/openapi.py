"""The OpenAPI 3.1 description of the REST part, made of the table of operations and the messages' types."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec

from appliance.ops.voices.messages import Problem

_REF = "#/components/schemas/{name}"
SAFE = ("GET", "HEAD")
WHY = {
    400: "It cannot be understood, or not be done like that",
    401: "Nobody is logged in, or the token is not the one",
    403: "The header x-csrf-token is not the page's, or the password is not the one",
    404: "There is no such thing (any more)",
    409: "Not as things are now: the sentence says what is in the way",
    413: "It is too long",
    429: "Too many failed attempts; a minute later again",
    500: "A file on the box is damaged, or a process has died; the sentence says which",
    503: "The store of voices cannot be used now, or the box is too busy",
    507: "The box's disk is full",
}


class Operation(NamedTuple):
    """What can be asked: `takes` and `gives` are types of messages, bytes for sound, None for nothing.

    `refuses`: the statuses of its own refusals, besides those that all of its kind have.
    """

    method: str
    path: str
    summary: str
    takes: Any
    gives: Any
    status: int
    open: bool
    refuses: tuple[int, ...] = ()

    @property
    def refusals(self) -> list[int]:
        """Every status it may be refused with."""
        of_its_kind = {500} | (set() if self.open else {401})
        if not self.open and self.method not in SAFE:
            of_its_kind |= {403}
        if self.takes not in (None, bytes):
            of_its_kind |= {400, 413}
        return sorted(of_its_kind | set(self.refuses))


def description(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    types = [kind for one in operations for kind in (one.takes, one.gives) if kind not in (None, bytes)]
    types = list(dict.fromkeys([*types, Problem]))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_type, _links(one, operations))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dragoman: voices on file", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "dragoman"},
            },
        },
    }


def _links(one: Operation, operations: Sequence[Operation]) -> dict[str, Any]:
    """What can be asked about that which was just made: an answer's `id` is where its path goes on."""
    if one.gives in (None, bytes) or "id" not in get_type_hints(one.gives):
        return {}
    after = [other for other in operations if other.path == f"{one.path}/{{id}}"]
    return {
        other.summary: {"operationId": _operation_id(other), "parameters": {"id": "$response.body#/id"}}
        for other in after
    }


def _operation_id(one: Operation) -> str:
    """ "GET /api/voices/{speaker_id}" is get_voices_speaker_id."""
    return "_".join([one.method.lower(), *re.findall(r"\w+", one.path.removeprefix("/api/"))])


def _operation(one: Operation, by_type: dict[Any, Any], links: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"} | ({"links": links} if links else {})
    if one.gives is bytes:
        done["content"] = {"audio/wav": {}}
    elif one.gives is not None:
        done["content"] = {"application/json": {"schema": by_type[one.gives]}}
    refusal = {"application/json": {"schema": by_type[Problem]}}
    refusals = {str(status): {"description": WHY[status], "content": refusal} for status in one.refusals}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", one.path)
    ]
    described: dict[str, Any] = {"operationId": _operation_id(one), "summary": one.summary}
    described["responses"] = {str(one.status): done} | refusals
    described["security"] = [] if one.open else [{"token": []}, {"session": []}]
    if one.takes is bytes:
        described["requestBody"] = {"required": True, "content": {"audio/wav": {}, "audio/flac": {}}}
        parameters.append({"name": "name", "in": "query", "required": False, "schema": {"type": "string"}})
    elif one.takes is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": by_type[one.takes]}}}
    return described | ({"parameters": parameters} if parameters else {})
