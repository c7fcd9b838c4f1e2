"""The glossaries of routes: found beside the configuration, and never in the way of a call."""

from pathlib import Path

import msgspec
import pytest

from appliance.config import Config, Route, load
from appliance.explanation import explain
from appliance.glossaries import read_glossaries

CONFIG = """
[asterisk]
ari_password = "secret"

[[phones]]
name = "bruno"
password = "secret"

[[routes]]
number = "1001"
caller_language = "en"
callee_language = "pt-BR"
callee = "PJSIP/bruno"
glossary = "terms/acme.csv"

[[routes]]
number = "1002"
caller_language = "en"
callee_language = "pt-BR"
callee = "PJSIP/bruno"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "appliance.toml"
    path.write_text(CONFIG)
    (tmp_path / "terms").mkdir()
    return load(path)


def test_a_glossary_lies_beside_the_configuration_and_is_for_its_route(config: Config, tmp_path: Path) -> None:
    (tmp_path / "terms" / "acme.csv").write_text("source,target\nAcme,\nrocket,foguete\n")
    glossaries, problems = read_glossaries(config)
    assert problems == []
    assert list(glossaries) == ["1001"]
    assert [term.target for term in glossaries["1001"].terms] == ["foguete", "Acme"]
    assert explain(config).problems == ()
    assert f"with the terms of {tmp_path}/terms/acme.csv" in explain(config).routes[0]


def test_an_absolute_path_stays_as_it_is() -> None:
    route = Route("1", "en", "pt-br", "PJSIP/bruno", glossary="/etc/dragoman/acme.csv")
    _, problems = read_glossaries(msgspec.structs.replace(Config(), routes=(route,)))
    assert problems == [
        "cannot read the glossary /etc/dragoman/acme.csv: No such file or directory; correct its route's glossary"
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"source,target\n,nada\n", "acme.csv line 2: the source term is empty"),
    ],
)
def test_what_is_wrong_with_a_glossary_is_said_once_and_its_route_goes_without(
    config: Config, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / "terms" / "acme.csv").write_bytes(content)
    glossaries, (found,) = read_glossaries(config)
    assert glossaries == {}
    assert problem in found
    assert explain(config).problems == (found,)
