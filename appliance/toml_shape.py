"""Where the values of a TOML file do not have the shape of a struct: every place, and what to write instead."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

Level = float | Literal["off"]

KIND_NAMES = {
    str: "text; put it between quotes",
    int: "a whole number; write digits only, without quotes",
    float: "a number; write digits, without quotes",
    bool: "a yes or no; write true or false, without quotes",
    Path: "a path; put it between quotes",
    Level: 'a level; write a number without quotes, or "off"',
}


def shape_problems(kind: Any, value: Any, path: str) -> Iterator[str]:
    """Where `value`, as parsed from TOML, does not have the shape of `kind`; `path` is its place in the file."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield from _table_problems(kind, value, path)
    elif get_origin(kind) is tuple and issubclass(get_args(kind)[0], Struct):
        if not isinstance(value, list):
            yield f"{path}: must be a list of tables; begin each with [[{path}]]"
            return
        for place, item in enumerate(value):
            yield from shape_problems(get_args(kind)[0], item, f"{path}[{place}]")
    else:
        yield from _value_problems(kind, value, path)


def _table_problems(kind: type[Struct], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: {shown(value)} is not a table; begin it with [{path}]"
        return
    kinds = get_type_hints(kind)
    for key, item in value.items():
        if key in kinds:
            yield from shape_problems(kinds[key], item, _joined(path, key))
        else:
            yield f"{_joined(path, key)}: there is no such setting; {_suggestion(key, kinds)}"
    for field in msgspec.structs.fields(kind):
        if field.default is NODEFAULT and field.default_factory is NODEFAULT and field.name not in value:
            yield f"{_joined(path, field.name)}: is missing, and has no default"


def _value_problems(kind: Any, value: Any, path: str) -> Iterator[str]:
    try:
        convert(value, kind)
    except msgspec.ValidationError:
        yield f"{path}: {shown(value)} is not {_kind_name(kind)}"


def _kind_name(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return 'a list of texts; write for example ["g722", "alaw"]'
    if get_origin(kind) is UnionType:
        return 'a text or a list of texts; write for example "deepl" or ["deepl", "bergamot"]'
    if get_origin(kind) is dict:
        return 'a table of texts or lists of texts; write for example { en = "piper", "*" = ["elevenlabs", "kokoro"] }'
    if get_origin(kind) is Literal:
        return "known here; write one of " + ", ".join(json.dumps(each) for each in get_args(kind))
    return KIND_NAMES[kind]


def _suggestion(key: str, known: Iterable[str]) -> str:
    if close := difflib.get_close_matches(key, known, n=1):
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(known)}"


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def shown(value: Any) -> str:
    """A value as it stands in the file, near enough."""
    return json.dumps(value, ensure_ascii=False, default=str)


def convert(value: Any, kind: Any) -> Any:
    """`value` as `kind`. Raises msgspec.ValidationError at the first thing that is wrong."""
    return msgspec.convert(value, kind, dec_hook=_path_from_text)


def _path_from_text(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError("not a path")  # msgspec makes it a ValidationError
