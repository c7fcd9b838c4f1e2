"""What a configuration means, in words: for `dragoman config check`."""

from collections.abc import Iterable, Iterator

import msgspec

from appliance.config import AUTO, Config, ConfigError, Route
from appliance.engines.registry import EVERY_OTHER, RECOGNIZERS, STREAMING_RECOGNIZERS, SYNTHESIZERS, TRANSLATORS
from appliance.frames.layout import Layout, places
from appliance.glossaries import read_glossaries
from appliance.supervision.process_table import PROCESS_NAMES
from appliance.telephony import asterisk_config

PORTS_PER_LEG = 4  # RTP and RTCP of the phone and of its ear
PORTS_PER_LANE = 2  # its booth's


class Explanation(msgspec.Struct, frozen=True):
    """A good configuration in words and numbers, and what else is wrong with it."""

    routes: tuple[str, ...]
    hearing: tuple[str, ...]
    ports: tuple[str, ...]
    memory_bytes: int
    problems: tuple[str, ...] = ()


def explain(config: Config) -> Explanation:
    """Say what `config` leads to."""
    return Explanation(
        routes=tuple(_route(route) for route in config.routes),
        hearing=(_original(config),),
        ports=_ports(config),
        memory_bytes=places(Layout(0, config.max_legs, config.max_lanes, PROCESS_NAMES)).size_bytes,
        problems=(
            *_asterisk_problems(config),
            *_port_problems(config),
            *_engine_problems(config),
            *read_glossaries(config)[1],
        ),
    )


def _route(route: Route) -> str:
    terms = f", with the terms of {route.glossary}" if route.glossary else ""
    return (
        f"{route.number}: whoever dials it speaks {route.caller_language} and reaches {route.callee}, "
        f"who speaks {route.callee_language}{terms}; it rings for {route.ring_s} s"
    )


def _original(config: Config) -> str:
    level_db = config.media.under_talk_db
    if level_db == "off":
        return "the translation alone"
    return f"the original at {level_db:g} dB, and softer still while its translation is spoken over it"


def _ports(config: Config) -> tuple[str, ...]:
    asterisk, media, ops = config.asterisk, config.media, config.ops
    return (
        f"UDP {media.host}:{media.port}: all audio between Asterisk and the appliance",
        f"TCP {asterisk.ari_url}: Asterisk's REST interface",
        f"TCP {ops.host}:{ops.port}: metrics, health and the operators' page",
        f"UDP {asterisk.sip_host}:{asterisk.sip_port}: SIP, phones and trunks",
        f"UDP {asterisk.rtp_first_port} to {asterisk.rtp_last_port}: RTP of Asterisk",
    )


def _asterisk_problems(config: Config) -> Iterator[str]:
    asterisk = config.asterisk
    if not asterisk.ari_password:
        yield "asterisk.ari_password: is empty; write one, or put it into DRAGOMAN_ARI_PASSWORD"
        asterisk = msgspec.structs.replace(asterisk, ari_password="any")
    try:
        asterisk_config.check(msgspec.structs.replace(config, asterisk=asterisk))
    except ConfigError as error:
        yield str(error)


def _port_problems(config: Config) -> Iterator[str]:
    available = config.asterisk.rtp_last_port - config.asterisk.rtp_first_port + 1
    needed = PORTS_PER_LEG * config.max_legs + PORTS_PER_LANE * config.max_lanes
    if needed > available:
        yield (
            f"asterisk.rtp_last_port: {available} ports are too few for {config.max_legs} legs and {config.max_lanes} "
            f"lanes; write at least {config.asterisk.rtp_first_port + needed - 1}"
        )


def _engine_problems(config: Config) -> Iterator[str]:
    engines = config.engines
    chosen: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
        ("recognizers", engines.named("asr"), (*RECOGNIZERS, *STREAMING_RECOGNIZERS)),
        ("translator", engines.named("mt"), TRANSLATORS),
        ("synthesizers", engines.named("tts"), SYNTHESIZERS),
    )
    for key, names, known in chosen:
        for name in sorted(set(names) - set(known)):
            yield f'engines.{key}: there is no engine "{name}"; choose among {", ".join(known)}'
    spoken = {language for route in config.routes for language in (route.caller_language, route.callee_language)}
    for language in sorted(spoken):
        for key, served in (("recognizers", engines.recognizers), ("synthesizers", engines.synthesizers)):
            if key == "synthesizers" and language == AUTO:
                continue  # it is answered in one of those that there are
            if not {language, language.partition("-")[0], EVERY_OTHER} & set(served):
                yield f'engines.{key}: nobody does "{language}", which a route needs; add it, or change the route'
