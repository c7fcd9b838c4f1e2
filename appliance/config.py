"""The configuration: one typed `appliance.toml`. Only this module reads the environment."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from appliance.cloud_config import CloudEngines, cloud_problems
from appliance.toml_shape import Level, convert, shape_problems, shown

LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)  # RFC 5646, as much as telephony needs
INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # goes into the names of shared memory and semaphores
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # goes into section names of Asterisk's configuration
CODECS = ("g722", "alaw", "ulaw", "opus", "slin16", "gsm")
AUTO = "auto"  # in place of a language: it is found out while they speak
MAX_LEGS = 512
QUIETEST_DB = -60  # nobody hears less on a telephone
PLACES = (Path("appliance.toml"), Path("/etc/dragoman/appliance.toml"))


class AsteriskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach Asterisk, and what its own configuration is rendered from."""

    ari_url: str = "http://127.0.0.1:8088"
    ari_user: str = "dragoman"
    ari_password: str = ""  # empty: DRAGOMAN_ARI_PASSWORD from the environment
    application: str = "dragoman"
    sip_host: str = "0.0.0.0"
    sip_port: int = 5060
    rtp_first_port: int = 10_000
    rtp_last_port: int = 14_999


class MediaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one UDP socket that all audio between Asterisk and the box goes through."""

    host: str = "127.0.0.1"
    port: int = 40_000
    prefill_frames: int = 6
    jitter_frames: int = 3
    under_talk_db: Level = -18.0  # the original under its translation


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine does what; "*" stands for every other language."""

    recognizers: dict[str, str] = msgspec.field(default_factory=lambda: {"en": "whisper-tiny-en", "*": "whisper-base"})
    translator: str = "bergamot"
    synthesizers: dict[str, str] = msgspec.field(default_factory=lambda: {"en": "piper", "pt-br": "kokoro"})
    threads: int = 2
    endpoint_ms: int = 400
    simultaneous: bool = True  # False: nothing is translated before its speaker pauses
    step_ms: int = 500  # of new speech between two looks at what somebody says


class OpsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where operators and their programs find metrics, health and events, over HTTP."""

    host: str = "127.0.0.1"
    port: int = 9470
    access_file: Path = Path("~/.config/dragoman/access.json")  # hashes of the administrator's password and token


class VoicesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the voices on file are, and the box's key, without which nobody can read them."""

    folder: Path = Path("~/.local/share/dragoman/voices")
    key_file: Path = Path("~/.config/dragoman/voices.key")


class Phone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SIP phone that Asterisk knows by name, without a PBX in between."""

    name: str
    password: str = ""
    codecs: tuple[str, ...] = ("g722", "alaw", "ulaw")
    contact: str = ""  # "sip:NAME@HOST:PORT" of a phone that does not register


class Trunk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SIP trunk to the company's PBX or to a carrier."""

    name: str
    host: str
    port: int = 5060
    username: str = ""
    password: str = ""
    registers: bool = False  # log in with username and password, as most carriers want
    codecs: tuple[str, ...] = ("g722", "alaw", "ulaw")


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens when `number` is dialled."""

    number: str
    caller_language: str
    callee_language: str
    callee: str  # "PJSIP/phone" or "PJSIP/number@trunk"
    ring_s: int = 45
    glossary: str = ""  # path of a CSV file with its terms and names


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of appliance.toml."""

    instance: str = "dragoman"
    max_legs: int = 8
    max_lanes: int = 16
    cache_dir: Path = Path("~/.cache/dragoman")
    asterisk: AsteriskConfig = AsteriskConfig()
    media: MediaConfig = MediaConfig()
    engines: EnginesConfig = EnginesConfig()
    cloud: CloudEngines = CloudEngines()
    ops: OpsConfig = OpsConfig()
    voices: VoicesConfig = VoicesConfig()
    phones: tuple[Phone, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    routes: tuple[Route, ...] = ()


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence: what, where, what to do."""


def default_path() -> Path:
    """Where the configuration is when nobody says: $DRAGOMAN_CONFIG, else ./appliance.toml, else /etc/dragoman."""
    if named := os.environ.get("DRAGOMAN_CONFIG"):
        return Path(named)
    return next((place for place in PLACES if place.exists()), PLACES[0])


def notify_socket() -> str:
    """Where the service manager listens (sd_notify(3)); empty when there is none."""
    return os.environ.get("NOTIFY_SOCKET", "")


def calm_matrices() -> None:
    """Let numpy's library for matrices use one thread, as in workers. Works only before numpy is imported.

    On two cores that others use, too, the voices' encoder is four times as fast so.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def worker_environment() -> dict[str, str]:
    """The environment that a worker is started with."""
    # Numpy's library for matrices keeps a core busy for some 50 ms after each product, waiting for the next; with one
    # thread it does not, and a decode takes half as much processor time. Engines have threads of their own.
    return os.environ | {"OPENBLAS_NUM_THREADS": "1"}


def api_key(variable: str, key_file: str) -> str:
    """The key of a cloud engine, from the environment or from a file; empty where neither is given.

    It never becomes part of the configuration, which is printed and logged. Raises ConfigError for an unreadable file.
    """
    if key := os.environ.get(variable, ""):
        return key
    try:
        return Path(key_file).expanduser().read_text(encoding="utf-8").strip() if key_file else ""
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"cannot read the key file {key_file}; correct key_file, or set {variable}") from None


def load(path: Path) -> Config:
    """Read a configuration file; secrets it leaves out come from the environment.

    Language tags come out in lower case, `~` in paths is replaced. Raises ConfigError with one line for each problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the configuration {path}: {reason}; name another one with --config") from None
    config = parse(text, path.name)
    password = config.asterisk.ari_password or os.environ.get("DRAGOMAN_ARI_PASSWORD", "")
    return msgspec.structs.replace(
        config,
        cache_dir=config.cache_dir.expanduser(),
        ops=msgspec.structs.replace(config.ops, access_file=config.ops.access_file.expanduser()),
        voices=VoicesConfig(config.voices.folder.expanduser(), config.voices.key_file.expanduser()),
        asterisk=msgspec.structs.replace(config.asterisk, ari_password=password),
        routes=tuple(_with_glossary_beside(path, route) for route in config.routes),
    )


def _with_glossary_beside(config: Path, route: Route) -> Route:
    """A relative path of a glossary counts from the configuration's folder."""
    if not route.glossary:
        return route
    glossary = config.absolute().parent / Path(route.glossary).expanduser()
    return msgspec.structs.replace(route, glossary=str(glossary))


def parse(text: str, name: str) -> Config:
    """Read the text of a configuration file called `name`. Raises ConfigError with one line for each problem."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: this is not valid TOML: {error}") from None
    _refuse(name, shape_problems(Config, values, ""))
    config: Config = convert(values, Config)
    _refuse(name, rule_problems(config))
    return _with_lower_case_languages(config)


def _refuse(name: str, problems: Iterable[str]) -> None:
    if lines := [f"{name}: {problem}" for problem in problems]:
        raise ConfigError("\n".join(lines))


def rule_problems(config: Config) -> Iterator[str]:
    """What is wrong with a configuration whose types are right."""
    yield from _name_problems(config)
    yield from _number_problems(config)
    yield from _engine_problems(config.engines)
    yield from cloud_problems(config.cloud)
    for place, route in enumerate(config.routes):
        yield from _route_problems(route, f"routes[{place}]", config)


def _name_problems(config: Config) -> Iterator[str]:
    if not INSTANCE.fullmatch(config.instance):
        yield f"instance: {shown(config.instance)} cannot be a name; use up to 63 of a-z, 0-9, - and _"
    named = [("phones", phone.name) for phone in config.phones] + [("trunks", trunk.name) for trunk in config.trunks]
    for table, name in named:
        if not NAME.fullmatch(name):
            yield f"{table}: {shown(name)} cannot be a name; use letters, digits, _ and -"
    if not config.ops.host:
        yield 'ops.host: is empty; write "127.0.0.1", or "0.0.0.0" to be reached from everywhere'
    for trunk in config.trunks:
        if trunk.registers and not (trunk.username and trunk.password):
            yield f"trunks: {shown(trunk.name)} registers without a username and password; add both"
    for name in _repeated(name for _, name in named):
        yield f"phones and trunks: {shown(name)} is there more than once; each needs a name of its own"
    for number in _repeated(route.number for route in config.routes):
        yield f"routes: number {shown(number)} is there more than once; a number leads to one place"
    for table, codecs in [("phones", p.codecs) for p in config.phones] + [("trunks", t.codecs) for t in config.trunks]:
        for codec in codecs:
            if codec not in CODECS:
                yield f"{table}: codec {shown(codec)} is not known; there are {', '.join(CODECS)}"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _number_problems(config: Config) -> Iterator[str]:
    asterisk, media = config.asterisk, config.media
    ranges: tuple[tuple[str, int, int, int], ...] = (
        ("max_legs", config.max_legs, 2, MAX_LEGS),
        ("max_lanes", config.max_lanes, 2, MAX_LEGS * 4),
        ("asterisk.sip_port", asterisk.sip_port, 1, 65_535),
        ("asterisk.rtp_first_port", asterisk.rtp_first_port, 1024, 65_535),
        ("asterisk.rtp_last_port", asterisk.rtp_last_port, 1024, 65_535),
        ("media.port", media.port, 1024, 65_535),
        ("media.prefill_frames", media.prefill_frames, 0, 50),
        ("media.jitter_frames", media.jitter_frames, 0, 50),
        ("ops.port", config.ops.port, 1, 65_535),
        ("engines.threads", config.engines.threads, 1, 256),
        ("engines.endpoint_ms", config.engines.endpoint_ms, 100, 5000),
        ("engines.step_ms", config.engines.step_ms, 200, 5000),
        *((f"trunks[{place}].port", trunk.port, 1, 65_535) for place, trunk in enumerate(config.trunks)),
    )
    for path, value, least, most in ranges:
        if not least <= value <= most:
            yield f"{path}: {value} is out of range; write a number from {least} to {most}"
    if media.under_talk_db != "off" and not QUIETEST_DB <= media.under_talk_db <= 0:
        yield (
            f"media.under_talk_db: {media.under_talk_db:g} is out of range; "
            f'write a number from {QUIETEST_DB} to 0, or "off"'
        )
    if config.max_lanes < config.max_legs:
        yield f"max_lanes: {config.max_lanes} is too few for {config.max_legs} legs; write at least {config.max_legs}"
    if asterisk.rtp_first_port >= asterisk.rtp_last_port:
        yield "asterisk.rtp_last_port: must be greater than rtp_first_port; each call needs two ports"
    if asterisk.rtp_first_port <= media.port <= asterisk.rtp_last_port:
        yield f"media.port: {media.port} is one of Asterisk's own (rtp_first_port … rtp_last_port); take another"
    if not asterisk.ari_url.startswith(("http://", "https://")):
        yield f"asterisk.ari_url: {shown(asterisk.ari_url)} is not a web address; write one like http://127.0.0.1:8088"


def _engine_problems(engines: EnginesConfig) -> Iterator[str]:
    for table, chosen in (("recognizers", engines.recognizers), ("synthesizers", engines.synthesizers)):
        for language in chosen:
            if language != "*":
                yield from _language_problems(language, f"engines.{table}")


def _route_problems(route: Route, path: str, config: Config) -> Iterator[str]:
    if not re.fullmatch(r"[0-9*#+]+", route.number):
        yield f"{path}.number: {shown(route.number)} cannot be dialled; use digits, *, # and +"
    if not 5 <= route.ring_s <= 600:
        yield f"{path}.ring_s: {route.ring_s} is out of range; write a number from 5 to 600"
    if route.caller_language.lower() == route.callee_language.lower() == AUTO:
        yield f'{path}.callee_language: only one of the two can be "{AUTO}"; write the other one\'s language'
    for key in ("caller_language", "callee_language"):
        if getattr(route, key).lower() != AUTO:
            yield from _language_problems(getattr(route, key), f"{path}.{key}")
    yield from _callee_problems(route.callee, f"{path}.callee", config)


def _language_problems(language: str, path: str) -> Iterator[str]:
    if not LANGUAGE_TAG.fullmatch(language):
        better = language.replace("_", "-")
        advice = f'write "{better}"' if LANGUAGE_TAG.fullmatch(better) else 'write one like "en" or "pt-BR"'
        yield f"{path}: {shown(language)} is not a language tag; {advice}"


def _callee_problems(callee: str, path: str, config: Config) -> Iterator[str]:
    found = re.fullmatch(r"PJSIP/(?:([^@/\s]+)@)?([^@/\s]+)", callee)
    if not found:
        yield f'{path}: {shown(callee)} cannot be called; write "PJSIP/PHONE" or "PJSIP/NUMBER@TRUNK"'
        return
    number, name = found.groups()
    known = {trunk.name for trunk in config.trunks} if number else {phone.name for phone in config.phones}
    if name not in known:
        kind = "trunk" if number else "phone"
        yield f"{path}: there is no {kind} called {shown(name)}; add it under [[{kind}s]] or correct the name"


def _with_lower_case_languages(config: Config) -> Config:
    engines = msgspec.structs.replace(
        config.engines,
        recognizers={language.lower(): name for language, name in config.engines.recognizers.items()},
        synthesizers={language.lower(): name for language, name in config.engines.synthesizers.items()},
    )
    routes = tuple(
        msgspec.structs.replace(
            route, caller_language=route.caller_language.lower(), callee_language=route.callee_language.lower()
        )
        for route in config.routes
    )
    return msgspec.structs.replace(config, engines=engines, routes=routes)
