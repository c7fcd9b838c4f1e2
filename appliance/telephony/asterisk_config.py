"""Asterisk's configuration files, rendered from `appliance.toml` and the templates in `asterisk/`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from appliance.config import Config, ConfigError, Phone, Route, Trunk
from appliance.setting_rules import CODECS

TEMPLATES = Path(__file__).parents[2] / "asterisk"

ARI_URL = re.compile(r"http://(?P<host>[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})/?")

STATE_FOLDERS = ("run", "lib", "log", "spool", "spool/recording", "cache")  # as asterisk.conf names them

# Written empty: the defaults are right, but Asterisk logs an error for each file that it misses.
EMPTY_FILES = ("acl", "ccss", "cdr_custom", "features", "manager", "pjproject", "stasis", "udptl", "websocket_client")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a value may be made of. Asterisk's files have no quoting worth the name, so nothing else goes in."""

    pattern: re.Pattern[str]
    words: str


NAME = _Kind(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "letters, digits, '.', '_' and '-'")
HOST = _Kind(re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*"), "a host name or an IPv4 address")
# A leading "_" would make it a pattern of the dialplan.
NUMBER = _Kind(re.compile(r"[A-Za-z0-9*#+][A-Za-z0-9*#+._-]*"), "digits, letters, '*', '#', '+', '.', '_' and '-'")
USERNAME = _Kind(re.compile(r"[A-Za-z0-9*#+._@-]+"), "digits, letters, '*', '#', '+', '.', '_', '-' and '@'")
CALLEE = _Kind(
    re.compile(r"PJSIP/[A-Za-z0-9*#+._-]+(@[A-Za-z0-9][A-Za-z0-9_.-]*)?"), "PJSIP/PHONE or PJSIP/NUMBER@TRUNK"
)
CONTACT = _Kind(re.compile(r"sips?:([A-Za-z0-9*#+._-]+@)?[A-Za-z0-9.-]+(:[0-9]{1,5})?"), "sip:NAME@HOST:PORT")
SECRET = _Kind(re.compile(r"[^\s;\[\]]+"), "anything but spaces, line ends, ';', '[' and ']'")


@dataclass(frozen=True, slots=True)
class Directories:
    """Where an Asterisk finds its parts; `state` is a folder it may write to."""

    modules: Path  # astmoddir
    data: Path  # astdatadir
    state: Path


class _Text(Template):
    """Placeholders look like @{this}, because "$" belongs to the dialplan."""

    delimiter = "@"


def render(config: Config, target: Path, directories: Directories) -> None:
    """Write every configuration file of Asterisk into `target`, and make the folders that it wants to find.

    Raises ConfigError, one sentence, for a value that a file of Asterisk cannot hold.
    """
    texts = {
        path.name: _fill(path.read_text(), _values(config, target, directories)) for path in TEMPLATES.glob("*.conf")
    }
    texts.update({f"{name}.conf": "" for name in EMPTY_FILES})
    for folder in (target, *(directories.state / name for name in STATE_FOLDERS)):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = target / name
        path.touch(mode=0o600)  # some hold passwords
        path.write_text(text)


def check(config: Config) -> None:
    """Raises ConfigError if `config` has a value that cannot be rendered."""
    somewhere = Path("/")
    _values(config, somewhere, Directories(somewhere, somewhere, somewhere))


def _values(config: Config, target: Path, directories: Directories) -> dict[str, object]:
    asterisk = config.asterisk
    host, port = _ari_address(asterisk.ari_url)
    application = _checked(asterisk.application, NAME, "asterisk.application")
    return {
        "instance": _checked(config.instance, NAME, "instance"),
        "etc": target.absolute(),
        "modules": directories.modules.absolute(),
        "data": directories.data.absolute(),
        "state": directories.state.absolute(),
        "ari_host": host,
        "ari_port": port,
        "ari_user": _checked(asterisk.ari_user, NAME, "asterisk.ari_user"),
        "ari_password": _checked(asterisk.ari_password, SECRET, "asterisk.ari_password"),
        "application": application,
        "sip_host": _checked(asterisk.sip_host, HOST, "asterisk.sip_host"),
        "sip_port": asterisk.sip_port,
        "rtp_first_port": asterisk.rtp_first_port,
        "rtp_last_port": asterisk.rtp_last_port,
        "phones": _pieces(_phone(phone, f"phones[{place}]") for place, phone in enumerate(config.phones)),
        "trunks": _pieces(_trunk(trunk, f"trunks[{place}]") for place, trunk in enumerate(config.trunks)),
        "emergencies": _pieces(_emergencies(config)),
        "enrolment": _enrolment(config.voices.enrolment_number, application),
        "routes": _pieces(_route(route, application, f"routes[{place}]") for place, route in enumerate(config.routes)),
    }


def _ari_address(url: str) -> tuple[str, int]:
    parts = ARI_URL.fullmatch(url)
    if not parts:
        raise ConfigError(f"asterisk.ari_url: {url!r} is not where Asterisk serves ARI; write http://HOST:PORT")
    return parts["host"], int(parts["port"])


def _phone(phone: Phone, where: str) -> str:
    name = _checked(phone.name, NAME, f"{where}.name")
    contact = _checked(phone.contact, CONTACT, f"{where}.contact") if phone.contact else ""
    if not contact and not phone.password:
        raise ConfigError(f'{where}: phone "{name}" can neither register nor be found; give it a password or a contact')
    password = _checked(phone.password, SECRET, f"{where}.password") if phone.password else ""
    return _piece(
        "phone",
        name=name,
        codecs=_codecs(phone.codecs, where),
        contact=f"contact = {contact}" if contact else "",
        endpoint_auth=f"auth = {name}" if password else "",
        auth=_piece("auth", name=name, username=name, password=password) if password else "",
    )


def _trunk(trunk: Trunk, where: str) -> str:
    name, host = _checked(trunk.name, NAME, f"{where}.name"), _checked(trunk.host, HOST, f"{where}.host")
    auth = endpoint_auth = ""
    if trunk.username:
        username = _checked(trunk.username, USERNAME, f"{where}.username")
        password = _checked(trunk.password, SECRET, f"{where}.password")
        auth = _piece("auth", name=name, username=username, password=password)
        endpoint_auth = f"outbound_auth = {name}"
    if trunk.registers:
        if not trunk.username:
            raise ConfigError(f"{where}.username is empty, and the trunk registers; give it a username and a password")
        auth += _piece("registration", name=name, host=host, port=trunk.port, username=trunk.username.partition("@")[0])
    codecs = _codecs(trunk.codecs, where)
    return _piece("trunk", name=name, host=host, port=trunk.port, codecs=codecs, endpoint_auth=endpoint_auth, auth=auth)


def _route(route: Route, application: str, where: str) -> str:
    return _piece(
        "route",
        number=_checked(route.number, NUMBER, f"{where}.number"),
        callee=_checked(route.callee, CALLEE, f"{where}.callee"),
        ring_s=route.ring_s,
        application=application,
    )


def _enrolment(number: str, application: str) -> str:
    """Nothing where nobody enrols by telephone."""
    if not number:
        return ""
    number = _checked(number, NUMBER, "voices.enrolment_number")
    return _piece("enrolment", number=number, application=application)


def _emergencies(config: Config) -> Iterator[str]:
    """None where no trunk leads out."""
    if config.emergency_trunk:
        trunk = _checked(config.emergency_trunk, NAME, "emergency.trunk")
        for number in config.emergency.numbers:
            yield _piece("emergency", number=_checked(number, NUMBER, "emergency.numbers"), trunk=trunk)


def _codecs(codecs: tuple[str, ...], where: str) -> str:
    for codec in codecs:
        if codec not in CODECS:
            raise ConfigError(
                f'{where}.codecs: "{codec}" is not a codec that Asterisk has here; write {", ".join(CODECS)}'
            )
    return ",".join(codecs)


def _checked(value: str, kind: _Kind, where: str) -> str:
    if kind.pattern.fullmatch(value):
        return value
    found = "a password that" if kind is SECRET and value else repr(value)  # never show a password
    raise ConfigError(f"{where}: {found} cannot be written into Asterisk's files; allowed: {kind.words}")


def _piece(kind: str, **values: object) -> str:
    return _fill((TEMPLATES / "pieces" / f"{kind}.conf").read_text(), values)


def _pieces(pieces: Iterable[str]) -> str:
    return "\n".join(pieces)


def _fill(text: str, values: dict[str, object]) -> str:
    return _Text(text).substitute(values)
