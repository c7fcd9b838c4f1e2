"""The configuration: one typed `appliance.toml`, and what the environment says in its place."""

import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from appliance.cloud_config import CloudEngines, cloud_problems
from appliance.route_rules import emergency_problems, enrolment_problems, language_problems, route_problems
from appliance.setting_rules import name_problems, number_problems, repeated
from appliance.toml_shape import Level, convert, shape_problems, shown

AUTO = "auto"  # in place of a language: it is found out while they speak
STAGES = ("asr", "mt", "tts")
STANDBYS = ("rtp", *STAGES)  # processes that can have one
MOST_ENGINES = 32  # of one stage: so many breakers go into one word of its vital signs
PLACES = (Path("appliance.toml"), Path("/etc/dragoman/appliance.toml"))


Names = str | tuple[str, ...]  # of engines: one, or an ordered chain of them


def chain(names: Names) -> tuple[str, ...]:
    """The engines that `names` says, in their order."""
    return (names,) if isinstance(names, str) else names


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
    announce_db: Level = -24.0  # two notes, when an original takes the place of its translation and when it ends


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine does what, or which ones, the next when those before it fail; "*" is every other language."""

    recognizers: dict[str, Names] = msgspec.field(default_factory=lambda: {"*": "whisper-base"})
    translator: Names = "bergamot"
    synthesizers: dict[str, Names] = msgspec.field(default_factory=lambda: {"en": "piper", "pt-br": "kokoro"})
    threads: int = 2
    endpoint_ms: int = 400
    simultaneous: bool = True  # False: nothing is translated before its speaker pauses
    most_behind_ms: int = 8_000  # a lane that is further behind skips what it has not begun to say
    step_ms: int = 400  # of new speech between two looks at what somebody says

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that there is a voice for by name; the first is the box's own."""
        return tuple(language for language in self.synthesizers if language != "*")

    def named(self, stage: str) -> tuple[str, ...]:
        """Every engine of "asr", "mt" or "tts", each once, in the order of the file."""
        tables = {"asr": self.recognizers, "mt": {"*": self.translator}, "tts": self.synthesizers}
        return tuple(dict.fromkeys(name for names in tables[stage].values() for name in chain(names)))


class SupervisionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which processes have a second one waiting, everything loaded, to take over at once; each takes memory."""

    standbys: tuple[str, ...] = ("rtp", "asr", "mt")
    settle_s: int = 5  # after its start, a process has the processor to itself for so long


class CapacityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many conversations are interpreted at once, and what the next caller is told."""

    most_calls: int = 0  # measured by `dragoman bench capacity`; 0: only the places count, max_legs and max_lanes
    retry_s: int = 30  # when to call again


class EmergencyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that Asterisk connects itself, at once and never interpreted, with or without the appliance."""

    numbers: tuple[str, ...] = ("112", "911")
    trunk: str = ""  # empty: the first one


class OpsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where operators and their programs find metrics, health and events, over HTTP; from elsewhere, over TLS."""

    host: str = "127.0.0.1"
    port: int = 9470
    names: tuple[str, ...] = ()  # under which browsers reach it, beside those that the system knows
    certificate_file: str = ""  # PEM, with those that have signed it; empty: a self-signed one, kept in tls_folder
    key_file: str = ""
    tls_folder: Path = Path("~/.local/share/dragoman/tls")
    access_file: Path = Path("~/.config/dragoman/access.json")  # hashes of the administrator's password and token


class VoicesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the voices on file are, the box's key, without which nobody can read them, and how a voice is chosen."""

    folder: Path = Path("~/.local/share/dragoman/voices")
    key_file: Path = Path("~/.config/dragoman/voices.key")
    country_code: str = ""  # of this box's own country, for callers whose numbers come without one
    identify: bool = True  # by the voice itself, where neither route nor number says who it is
    ecapa_folder: str = ""  # SpeechBrain's ECAPA-TDNN, which then tells voices apart; empty: Resemblyzer does
    gst_folder: str = ""  # a Tacotron of coqui-tts with style tokens, which then tell manners; empty: prosody does
    least_likeness: float = 0.0  # of a voice on file, to be taken for it; 0: what suits what tells voices apart
    least_margin: float = 0.05  # ... and so much more than of any other one
    identify_s: int = 15  # of speech; who has not been identified by then never is
    other_below: float = 0.0  # a likeness that means that somebody else has taken the phone; 0: as above
    on_mismatch: Literal["tell", "stock"] = "tell"  # "stock": and that one does not speak with the voice
    enrolment_number: str = ""  # dialled to enrol by telephone; empty: nobody can
    enrolment_trunks: tuple[str, ...] = ()  # through which it may be dialled, too; phones always may
    enrolment_speech_s: int = 180  # how much speech such a voice needs
    prompts_folder: Path = Path("~/.cache/dragoman/prompts")  # what is said then, for Asterisk to play


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
    when_full: Literal["refuse", "untranslated"] = "refuse"
    glossary: str = ""  # path of a CSV file with its terms and names
    fallback_language: str = ""  # of a side that is "auto", when it cannot be found out; empty: the box's first
    fallback_s: int = 20  # ... so long after the beginning
    caller_voice: str = ""  # a voice on file, by name or id, or "stock"; empty: by number, then by the voice itself
    callee_voice: str = ""
    learn_voice: Literal["nobody", "caller", "callee", "both"] = "nobody"  # who has agreed to that, for one call

    def voice(self, index: int) -> str:
        """The voice that the configuration gives the caller (0) or the callee (1)."""
        return self.callee_voice if index else self.caller_voice

    def may_learn(self, index: int) -> bool:
        """Whether the voice of the caller (0) or the callee (1) may be learned, and forgotten after the call."""
        return self.learn_voice in ("both", "callee" if index else "caller")

    @property
    def known(self) -> dict[str, str]:
        """Its languages by setting, without those that are found out."""
        languages = {"caller_language": self.caller_language, "callee_language": self.callee_language}
        return {key: language for key, language in languages.items() if language.lower() != AUTO}

    @property
    def is_auto(self) -> bool:
        """Whether the language of one side is found out."""
        return len(self.known) < 2


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
    supervision: SupervisionConfig = SupervisionConfig()
    capacity: CapacityConfig = CapacityConfig()
    emergency: EmergencyConfig = EmergencyConfig()
    ops: OpsConfig = OpsConfig()
    voices: VoicesConfig = VoicesConfig()
    phones: tuple[Phone, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    routes: tuple[Route, ...] = ()

    @property
    def emergency_trunk(self) -> str:
        """Where emergency calls go; empty: there is no trunk, and nobody can be reached."""
        return self.emergency.trunk or next((trunk.name for trunk in self.trunks), "")


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence: what, where, what to do."""


def default_path() -> Path:
    """Where the configuration is when nobody says: $DRAGOMAN_CONFIG, else ./appliance.toml, else /etc/dragoman."""
    if named := os.environ.get("DRAGOMAN_CONFIG"):
        return Path(named)
    return next((place for place in PLACES if place.exists()), PLACES[0])


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
        ops=_ops_at_home(config.ops),
        voices=_at_home(config.voices),
        asterisk=msgspec.structs.replace(config.asterisk, ari_password=password),
        routes=tuple(_with_glossary_beside(path, route) for route in config.routes),
    )


def _ops_at_home(ops: OpsConfig) -> OpsConfig:
    return msgspec.structs.replace(
        ops,
        access_file=ops.access_file.expanduser(),
        tls_folder=ops.tls_folder.expanduser(),
        certificate_file=_path_at_home(ops.certificate_file),
        key_file=_path_at_home(ops.key_file),
    )


def _path_at_home(path: str) -> str:
    """`path` without `~`; empty stays empty."""
    return str(Path(path).expanduser()) if path else ""


def _at_home(voices: VoicesConfig) -> VoicesConfig:
    return msgspec.structs.replace(
        voices,
        folder=voices.folder.expanduser(),
        ecapa_folder=_path_at_home(voices.ecapa_folder),
        gst_folder=_path_at_home(voices.gst_folder),
        key_file=voices.key_file.expanduser(),
        prompts_folder=voices.prompts_folder.expanduser(),
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
    yield from name_problems(config)
    yield from number_problems(config)
    yield from _engine_problems(config.engines)
    yield from cloud_problems(config.cloud)
    yield from _supervision_problems(config.supervision)
    yield from emergency_problems(config)
    yield from enrolment_problems(config)
    for place, route in enumerate(config.routes):
        yield from route_problems(route, f"routes[{place}]", config)


def _engine_problems(engines: EnginesConfig) -> Iterator[str]:
    for table, chosen in (("recognizers", engines.recognizers), ("synthesizers", engines.synthesizers)):
        for language in chosen:
            if language != "*":
                yield from language_problems(language, f"engines.{table}")
            yield from _chain_problems(chosen[language], f"engines.{table}.{language}")
    yield from _chain_problems(engines.translator, "engines.translator")
    for stage in STAGES:
        if len(engines.named(stage)) > MOST_ENGINES:
            yield f"engines: names {len(engines.named(stage))} engines for {stage}; name at most {MOST_ENGINES}"


def _supervision_problems(supervision: SupervisionConfig) -> Iterator[str]:
    for name in supervision.standbys:
        if name not in STANDBYS:
            yield f"supervision.standbys: {shown(name)} can have none; there are {', '.join(STANDBYS)}"
    for name in repeated(supervision.standbys):
        yield f"supervision.standbys: {shown(name)} is there more than once; each can have one"


def _chain_problems(names: Names, path: str) -> Iterator[str]:
    if not chain(names):
        yield f"{path}: names no engine; write at least one"
    for name in repeated(chain(names)):
        yield f"{path}: {shown(name)} is there more than once; nobody fails over to itself"


def _with_lower_case_languages(config: Config) -> Config:
    engines = msgspec.structs.replace(
        config.engines,
        recognizers={language.lower(): name for language, name in config.engines.recognizers.items()},
        synthesizers={language.lower(): name for language, name in config.engines.synthesizers.items()},
    )
    routes = tuple(
        msgspec.structs.replace(
            route,
            caller_language=route.caller_language.lower(),
            callee_language=route.callee_language.lower(),
            fallback_language=route.fallback_language.lower(),
        )
        for route in config.routes
    )
    return msgspec.structs.replace(config, engines=engines, routes=routes)
