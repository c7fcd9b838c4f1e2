"""What a configuration means, in words: for `dragoman config check`."""

from collections.abc import Iterable, Iterator

import msgspec

from appliance.config import AUTO, Config, ConfigError, OpsConfig, Route, chain
from appliance.engines.languages import RECOGNIZED, TRANSLATED, best_match, pair_for
from appliance.engines.registry import EVERY_OTHER, RECOGNIZERS, STREAMING_RECOGNIZERS, SYNTHESIZERS, TRANSLATORS
from appliance.frames.layout import Layout, places
from appliance.glossaries import read_glossaries
from appliance.supervision.process_table import rows
from appliance.telephony import asterisk_config
from appliance.telephony.routes import fallback_of
from appliance.tls.names import speaks_tls
from appliance.voices.choice import STOCK
from appliance.voices.scales import scale_of

PORTS_PER_LEG = 4  # RTP and RTCP of the phone and of its ear
PORTS_PER_LANE = 2  # its booth's


class Explanation(msgspec.Struct, frozen=True):
    """A good configuration in words and numbers, and what else is wrong with it."""

    routes: tuple[str, ...]
    full_house: tuple[str, ...]
    hearing: tuple[str, ...]
    voices: tuple[str, ...]
    ports: tuple[str, ...]
    memory_bytes: int
    problems: tuple[str, ...] = ()


def explain(config: Config) -> Explanation:
    """Say what `config` leads to."""
    return Explanation(
        routes=tuple(_route(route, config) for route in config.routes),
        full_house=(_capacity(config), _emergency(config)),
        hearing=(_original(config),),
        voices=tuple(_voices(config)),
        ports=_ports(config),
        memory_bytes=places(Layout(0, config.max_legs, config.max_lanes, rows(config.supervision.standbys))).size_bytes,
        problems=(
            *_asterisk_problems(config),
            *_port_problems(config),
            *_engine_problems(config),
            *read_glossaries(config)[1],
        ),
    )


def _route(route: Route, config: Config) -> str:
    terms = f", with the terms of {route.glossary}" if route.glossary else ""
    caller, callee = (_language(each, route, config) for each in (route.caller_language, route.callee_language))
    return (
        f"{route.number}: whoever dials it speaks {caller} and reaches {route.callee}, "
        f"who speaks {callee}{terms}; it rings for {route.ring_s} s"
    )


def _capacity(config: Config) -> str:
    asked = [route.number for route in config.routes if route.when_full == "untranslated"]
    places = f"{config.max_legs} people or {config.max_lanes} directions"
    calls = config.capacity.most_calls
    full = f"{calls} conversations" if calls else f"{places} (capacity.most_calls says what the machine can do)"
    unless = f"; whoever dials {', '.join(asked)} is connected without an interpreter" if asked else ""
    return f"with {full} interpreted, the next caller is told to call again after {config.capacity.retry_s} s{unless}"


def _emergency(config: Config) -> str:
    numbers = ", ".join(config.emergency.numbers)
    if not numbers:
        return "no number is known as one for emergencies (emergency.numbers)"
    if not config.emergency_trunk:
        return f"{numbers}: cannot be reached, for there is no trunk"
    return f"{numbers}: connected through {config.emergency_trunk} at once, and never interpreted"


def _language(language: str, route: Route, config: Config) -> str:
    if language != AUTO:
        return language
    fallback = fallback_of(config, route.number)
    otherwise = f"{fallback.language} if that is not clear after {fallback.after_s} s"
    return f"{' or '.join(_candidates(config))}, whichever is heard ({otherwise}),"


def _candidates(config: Config) -> list[str]:
    """The languages that a leg can turn out to speak: those with a voice that its recognizer tells apart."""
    known = RECOGNIZED.get(_finder(config), frozenset())
    return [language for language in config.engines.languages if best_match(known, language)]


def _finder(config: Config) -> str:
    """The recognizer, first of its chain, of a leg whose language is found out; "" where there is none."""
    recognizers = config.engines.recognizers
    return next(iter(chain(recognizers.get(AUTO, recognizers.get(EVERY_OTHER, "")))), "")


def _original(config: Config) -> str:
    level_db = config.media.under_talk_db
    if level_db == "off":
        return "the translation alone"
    return f"the original at {level_db:g} dB, and softer still while its translation is spoken over it"


def _voices(config: Config) -> Iterator[str]:
    """Whose voice somebody speaks with in the other language."""
    voices = config.voices
    ways = ["by phone number"]
    least = voices.least_likeness or scale_of(voices.ecapa_folder).least_likeness
    if voices.identify and least <= 1:
        alike = f"at least {least:g}, and {voices.least_margin:g} more than any other"
        ways.append(f"by likeness ({alike}, within {voices.identify_s} s of speech)")
    yield f"a voice on file, chosen {', else '.join(ways)}; else a stock voice"
    for route in config.routes:
        for side, voice in (("caller", route.caller_voice), ("callee", route.callee_voice)):
            if voice == STOCK:
                yield f"{route.number}: the {side} always has a stock voice"
            elif voice:
                yield f'{route.number}: the {side} always speaks with the voice "{voice}"'
        if route.learn_voice != "nobody":
            who = "both sides" if route.learn_voice == "both" else f"the {route.learn_voice}"
            yield f"{route.number}: the voice of {who} is learned where it is not on file, and forgotten after the call"


def _ports(config: Config) -> tuple[str, ...]:
    asterisk, media, ops = config.asterisk, config.media, config.ops
    return (
        f"UDP {media.host}:{media.port}: all audio between Asterisk and the appliance",
        f"TCP {asterisk.ari_url}: Asterisk's REST interface",
        f"TCP {ops.host}:{ops.port}: metrics, health and the operators' page, {_tls(ops)}",
        f"UDP {asterisk.sip_host}:{asterisk.sip_port}: SIP, phones and trunks",
        f"UDP {asterisk.rtp_first_port} to {asterisk.rtp_last_port}: RTP of Asterisk",
    )


def _tls(ops: OpsConfig) -> str:
    if not speaks_tls(ops):
        return "not encrypted, for this machine alone"
    shown = f"the certificate {ops.certificate_file}" if ops.certificate_file else "a certificate of its own"
    return f"over TLS with {shown}; in plain text for this machine (127.0.0.1), metrics and health for all"


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
    yield from _auto_problems(config)
    spoken = {language for route in config.routes for language in (route.caller_language, route.callee_language)}
    for language in sorted(spoken):
        for key, served in (("recognizers", engines.recognizers), ("synthesizers", engines.synthesizers)):
            if language != AUTO and not {language, language.partition("-")[0], EVERY_OTHER} & set(served):
                yield f'engines.{key}: nobody does "{language}", which a route needs; add it, or change the route'


def _auto_problems(config: Config) -> Iterator[str]:
    """What stands in the way of finding a language out, and of interpreting it then."""
    routes = [(place, route) for place, route in enumerate(config.routes) if route.is_auto]
    if not routes:
        return
    finder, candidates = _finder(config), _candidates(config)
    if not finder:
        yield 'engines.recognizers: nobody finds out what is spoken on a route with "auto"; name one under "*"'
        return
    if len(candidates) < 2:
        yield (
            f'engines.recognizers: "{finder}" and the voices have {" and ".join(candidates) or "no language"} in '
            'common, which leaves nothing to find out on a route with "auto"; name another one, or write the language'
        )
        return
    for place, route in routes:
        yield from _auto_route_problems(route, f"routes[{place}]", candidates, config)


def _auto_route_problems(route: Route, path: str, candidates: list[str], config: Config) -> Iterator[str]:
    if route.fallback_language and route.fallback_language not in candidates:
        yield (
            f'{path}.fallback_language: "{route.fallback_language}" is none of the languages that can be found out; '
            f"write one of {', '.join(candidates)}"
        )
    other = next(each for each in (route.caller_language, route.callee_language) if each != AUTO)
    translators = chain(config.engines.translator)
    pairs = frozenset[tuple[str, str]]().union(*(TRANSLATED.get(each, frozenset()) for each in translators))
    for language in candidates:
        is_other = language.partition("-")[0] == other.partition("-")[0]
        if not is_other and not (pair_for(pairs, language, other) and pair_for(pairs, other, language)):
            yield (
                f'{path}: "{" or ".join(translators)}" does not translate between "{language}", which may be found '
                f'out, and "{other}"; choose another translator, or write the language instead of "auto"'
            )
