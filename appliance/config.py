"""The configuration: one typed `appliance.toml`. Only this module reads the environment."""

from pathlib import Path

import msgspec


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


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine does what; "*" stands for every other language."""

    recognizers: dict[str, str] = {"en": "whisper-tiny-en", "*": "whisper-base"}
    translator: str = "bergamot"
    synthesizers: dict[str, str] = {"en": "piper", "pt-br": "kokoro"}
    threads: int = 2
    endpoint_ms: int = 400


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
    codecs: tuple[str, ...] = ("g722", "alaw", "ulaw")


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens when `number` is dialled."""

    number: str
    caller_language: str
    callee_language: str
    callee: str  # "PJSIP/phone" or "PJSIP/number@trunk"
    ring_s: int = 45


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of appliance.toml."""

    instance: str = "dragoman"
    max_legs: int = 8
    max_lanes: int = 16
    cache_dir: Path = Path("~/.cache/dragoman")
    asterisk: AsteriskConfig = AsteriskConfig()
    media: MediaConfig = MediaConfig()
    engines: EnginesConfig = EnginesConfig()
    phones: tuple[Phone, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    routes: tuple[Route, ...] = ()


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence: what, where, what to do."""
