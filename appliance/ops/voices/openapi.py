"""The OpenAPI 3.1 description of the REST part, made of the table of operations and the messages' types."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from appliance.ops.voices.messages import Problem

_REF = "#/components/schemas/{name}"


class Operation(NamedTuple):
    """What can be asked: `takes` and `gives` are types of messages, bytes for sound, None for nothing."""

    method: str
    path: str
    summary: str
    takes: Any
    gives: Any
    status: int
    open: bool


def description(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    types = [kind for one in operations for kind in (one.takes, one.gives) if kind not in (None, bytes)]
    types = list(dict.fromkeys([*types, Problem]))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_type)
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


def _operation(one: Operation, by_type: dict[Any, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if one.gives is bytes:
        done["content"] = {"audio/wav": {}}
    elif one.gives is not None:
        done["content"] = {"application/json": {"schema": by_type[one.gives]}}
    problem = {"description": "Refused", "content": {"application/json": {"schema": by_type[Problem]}}}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", one.path)
    ]
    described: dict[str, Any] = {"summary": one.summary, "responses": {str(one.status): done, "default": problem}}
    described["security"] = [] if one.open else [{"token": []}, {"session": []}]
    if one.takes is bytes:
        described["requestBody"] = {"required": True, "content": {"audio/wav": {}, "audio/flac": {}}}
        parameters.append({"name": "name", "in": "query", "required": False, "schema": {"type": "string"}})
    elif one.takes is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": by_type[one.takes]}}}
    return described | ({"parameters": parameters} if parameters else {})
