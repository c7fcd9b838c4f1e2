"""What is rendered for Asterisk, and what is refused."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.config import AsteriskConfig, Config, ConfigError, EmergencyConfig, Phone, Route, Trunk
from appliance.telephony.asterisk_config import TEMPLATES, Directories, check, render

CONFIG = Config(
    instance="hall",
    asterisk=AsteriskConfig(ari_url="http://127.0.0.1:8099", ari_password="a$b@c", sip_host="127.0.0.1", sip_port=5070),
    phones=(Phone("alice", password="s3cret"), Phone("bob", contact="sip:bob@10.0.0.7:5062", codecs=("alaw",))),
    trunks=(
        Trunk("pbx", "192.0.2.10", 5080),
        Trunk("carrier", "sip.example.net", username="4930123", password="pw", registers=True),
    ),
    routes=(Route("+4930", "en", "pt-br", "PJSIP/bob", 20), Route("info", "en", "de", "PJSIP/0171@carrier", 30)),
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("etc")
    render(CONFIG, folder, Directories(Path("/modules"), Path("/data"), folder / "state"))
    return {path.name: path.read_text() for path in folder.glob("*.conf")}


def section(text: str, name: str, kind: str) -> dict[str, str]:
    """The settings of the section `[name]` that says `type = kind`, or inherits it."""
    for part in text.split("\n[")[1:]:
        head, _, body = part.partition("\n")
        settings = dict(line.split(" = ", 1) for line in body.splitlines() if " = " in line and line[0] != ";")
        is_endpoint = head == f"{name}](endpoint)"
        if is_endpoint if kind == "endpoint" else head == f"{name}]" and settings.get("type") == kind:
            return settings
    raise AssertionError(f"no [{name}] of type {kind} in\n{text}")


def test_every_template_becomes_a_file_without_placeholders(rendered: dict[str, str]) -> None:
    assert {path.name for path in TEMPLATES.glob("*.conf")} <= rendered.keys()
    assert not [name for name, text in rendered.items() if "@{" in text]


def test_files_with_passwords_are_for_their_owner_only(tmp_path: Path) -> None:
    render(CONFIG, tmp_path, Directories(tmp_path, tmp_path, tmp_path))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.conf")} == {0}


def test_addresses_and_logins_arrive_where_they_belong(rendered: dict[str, str]) -> None:
    assert "bindaddr = 127.0.0.1\nbindport = 8099" in rendered["http.conf"]
    assert "password = a$b@c" in rendered["ari.conf"]
    assert "bind = 127.0.0.1:5070" in rendered["pjsip.conf"]
    assert "astmoddir => /modules" in rendered["asterisk.conf"]


def test_a_phone_that_registers_needs_its_password(rendered: dict[str, str]) -> None:
    pjsip = rendered["pjsip.conf"]
    assert section(pjsip, "alice", "endpoint")["auth"] == "alice"
    assert section(pjsip, "alice", "auth")["password"] == "s3cret"
    assert "contact" not in section(pjsip, "alice", "aor")


def test_a_phone_with_a_contact_is_found_without_registering(rendered: dict[str, str]) -> None:
    pjsip = rendered["pjsip.conf"]
    assert section(pjsip, "bob", "aor")["contact"] == "sip:bob@10.0.0.7:5062"
    assert section(pjsip, "bob", "endpoint")["allow"] == "alaw"
    assert "auth" not in section(pjsip, "bob", "endpoint")


def test_a_trunk_is_known_by_its_address(rendered: dict[str, str]) -> None:
    pjsip = rendered["pjsip.conf"]
    assert section(pjsip, "pbx", "identify")["match"] == "192.0.2.10"
    assert section(pjsip, "pbx", "aor")["contact"] == "sip:192.0.2.10:5080"
    assert "outbound_auth" not in section(pjsip, "pbx", "endpoint")


def test_a_carrier_is_logged_in_to(rendered: dict[str, str]) -> None:
    pjsip = rendered["pjsip.conf"]
    assert section(pjsip, "carrier", "endpoint")["outbound_auth"] == "carrier"
    registration = section(pjsip, "carrier", "registration")
    assert registration["client_uri"] == "sip:4930123@sip.example.net:5060"


def test_each_route_rings_its_callee_when_the_appliance_is_away(rendered: dict[str, str]) -> None:
    dialplan = rendered["extensions.conf"]
    assert "exten => +4930,1,Stasis(dragoman,call,${EXTEN})" in dialplan
    assert "n(away),Dial(PJSIP/bob,20)" in dialplan
    assert "n(away),Dial(PJSIP/0171@carrier,30)" in dialplan


def test_emergencies_go_out_through_the_first_trunk_without_the_appliance(rendered: dict[str, str]) -> None:
    dialplan = rendered["extensions.conf"]
    for number in ("112", "911"):
        assert f"exten => {number},1,Dial(PJSIP/${{EXTEN}}@pbx)" in dialplan


def test_emergencies_may_have_a_trunk_of_their_own(tmp_path: Path) -> None:
    render(replace(CONFIG, emergency=EmergencyConfig(("999",), "carrier")), tmp_path, Directories(*[tmp_path] * 3))
    dialplan = (tmp_path / "extensions.conf").read_text()
    assert "exten => 999,1,Dial(PJSIP/${EXTEN}@carrier)" in dialplan
    assert "911" not in dialplan


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"asterisk": AsteriskConfig(ari_password="a;b")}, "asterisk.ari_password"),
        ({"asterisk": AsteriskConfig(ari_password="")}, "asterisk.ari_password"),
        ({"asterisk": AsteriskConfig(ari_password="a\nb")}, "asterisk.ari_password"),
        ({"asterisk": AsteriskConfig(ari_password="x", ari_url="https://elsewhere/ari")}, "asterisk.ari_url"),
        ({"asterisk": AsteriskConfig(ari_password="x", ari_url="http://h:notaport")}, "asterisk.ari_url"),
        ({"asterisk": AsteriskConfig(ari_password="x", application="a,b")}, "asterisk.application"),
        ({"phones": (Phone("a]b", password="x"),)}, "phones[0].name"),
        ({"phones": (Phone("ok", password="x"), Phone("alice\n[x]", password="x"))}, "phones[1].name"),
        ({"phones": (Phone("alice", password="s[3]"),)}, "phones[0].password"),
        ({"phones": (Phone("alice", contact="sip:a@b;lr"),)}, "phones[0].contact"),
        ({"phones": (Phone("alice"),)}, "phones[0]"),
        ({"phones": (Phone("alice", password="x", codecs=("mp3",)),)}, "phones[0].codecs"),
        ({"trunks": (Trunk("pbx", "10.0.0.1\ncontact=x"),)}, "trunks[0].host"),
        ({"trunks": (Trunk("pbx", "10.0.0.1", username="me", password="a b"),)}, "trunks[0].password"),
        ({"trunks": (Trunk("pbx", "10.0.0.1", registers=True),)}, "trunks[0].username"),
        ({"routes": (Route("_X.", "en", "de", "PJSIP/bob"),)}, "routes[0].number"),
        ({"routes": (Route("1,2", "en", "de", "PJSIP/bob"),)}, "routes[0].number"),
        ({"routes": (Route("100", "en", "de", "PJSIP/bob,30)\nexten"),)}, "routes[0].callee"),
        ({"routes": (Route("100", "en", "de", "Local/x@y"),)}, "routes[0].callee"),
        ({"routes": (Route("100", "en", "de", "PJSIP/${SHELL(id)}"),)}, "routes[0].callee"),
    ],
)
def test_what_would_break_a_file_is_refused_in_one_sentence(change: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(replace(CONFIG, **change))
    sentence = str(refused.value)
    assert sentence.startswith(where)
    assert "\n" not in sentence


def test_a_refused_password_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        check(replace(CONFIG, phones=(Phone("alice", password="geheim;"),)))
    assert "geheim" not in str(refused.value)


def test_nothing_is_written_when_something_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    with pytest.raises(ConfigError):
        render(replace(CONFIG, phones=(Phone("a b", password="x"),)), folder, Directories(folder, folder, folder))
    assert not folder.exists()
