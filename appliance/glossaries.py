"""The glossaries of the routes, read from their files."""

from pathlib import Path

from appliance.config import Config
from appliance.speech.glossary import Glossary, GlossaryError, parse_glossary


def read_glossaries(config: Config) -> tuple[dict[str, Glossary], list[str]]:
    """The glossary of each route that has one, by the route's number; and what is wrong, one sentence for each problem.

    A route whose glossary cannot be read has none: its calls are translated all the same.
    """
    found, problems = {}, []
    for route in config.routes:
        if route.glossary:
            try:
                found[route.number] = _read(Path(route.glossary))
            except GlossaryError as error:
                problems += str(error).splitlines()
    return found, list(dict.fromkeys(problems))


def _read(path: Path) -> Glossary:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise GlossaryError(f"cannot read the glossary {path}: {reason}; correct its route's glossary") from None
    return parse_glossary(text, path.name)
