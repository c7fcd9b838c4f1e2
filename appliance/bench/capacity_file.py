"""Writes what was measured into appliance.toml, and leaves everything else there as it is."""

import re
from pathlib import Path

from appliance.config import ConfigError, parse

_SECTION = re.compile(r"(?ms)^\[capacity\][^\n]*\n(?P<body>.*?)(?=^\s*\[|\Z)")
_LINE = re.compile(r"(?m)^#?[ \t]*most_calls[ \t]*=.*$")


def with_most_calls(text: str, calls: int) -> str:
    """The text of a configuration file that says so."""
    line = f"most_calls = {calls}"
    section = _SECTION.search(text)
    if section is None:
        return f"{text.rstrip()}\n\n[capacity]\n{line}\n"
    body = section["body"]
    changed = _LINE.sub(line, body, count=1) if _LINE.search(body) else f"{line}\n{body}"
    return text[: section.start("body")] + changed + text[section.end("body") :]


def write(path: Path, calls: int) -> None:
    """Write `calls` into the file. Raises ConfigError when it cannot be written."""
    try:
        text = with_most_calls(path.read_text(encoding="utf-8"), calls)
        parse(text, path.name)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write most_calls = {calls} into {path}: {error.strerror}; write it there") from None
