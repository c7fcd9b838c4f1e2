"""What is wrong with names and numbers whose types are right: sentences for whoever wrote them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from appliance.tls.names import is_name
from appliance.toml_shape import shown
from appliance.voices.scales import scale_of

if TYPE_CHECKING:
    from appliance.config import Config, OpsConfig, VoicesConfig

INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # goes into the names of shared memory and semaphores
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # goes into section names of Asterisk's configuration
CODECS = ("g722", "alaw", "ulaw", "opus", "slin16", "gsm")
MAX_LEGS = 512
QUIETEST_DB = -60  # nobody hears less on a telephone


def name_problems(config: "Config") -> Iterator[str]:
    """Names that cannot be, and what is there twice."""
    if not INSTANCE.fullmatch(config.instance):
        yield f"instance: {shown(config.instance)} cannot be a name; use up to 63 of a-z, 0-9, - and _"
    named = [("phones", phone.name) for phone in config.phones] + [("trunks", trunk.name) for trunk in config.trunks]
    for table, name in named:
        if not NAME.fullmatch(name):
            yield f"{table}: {shown(name)} cannot be a name; use letters, digits, _ and -"
    yield from _ops_problems(config.ops)
    for trunk in config.trunks:
        if trunk.registers and not (trunk.username and trunk.password):
            yield f"trunks: {shown(trunk.name)} registers without a username and password; add both"
    for name in repeated(name for _, name in named):
        yield f"phones and trunks: {shown(name)} is there more than once; each needs a name of its own"
    for number in repeated(route.number for route in config.routes):
        yield f"routes: number {shown(number)} is there more than once; a number leads to one place"
    for table, codecs in [("phones", p.codecs) for p in config.phones] + [("trunks", t.codecs) for t in config.trunks]:
        for codec in codecs:
            if codec not in CODECS:
                yield f"{table}: codec {shown(codec)} is not known; there are {', '.join(CODECS)}"


def _ops_problems(ops: "OpsConfig") -> Iterator[str]:
    if not ops.host:
        yield 'ops.host: is empty; write "127.0.0.1", or "0.0.0.0" to be reached from everywhere'
    for name in ops.names:
        if not is_name(name):
            yield f"ops.names: {shown(name)} is neither the name of a host nor an address; write one like box.example"
    for key, other in (("certificate_file", "key_file"), ("key_file", "certificate_file")):
        if getattr(ops, other) and not getattr(ops, key):
            yield f"ops.{key}: is missing beside {other}; write both, or none for a self-signed certificate"


def repeated(names: Iterable[str]) -> list[str]:
    """Each of those that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def number_problems(config: "Config") -> Iterator[str]:
    """Numbers out of their range, and those that do not go together."""
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
        ("capacity.most_calls", config.capacity.most_calls, 0, MAX_LEGS),
        ("capacity.retry_s", config.capacity.retry_s, 1, 3600),
        ("ops.port", config.ops.port, 1, 65_535),
        ("supervision.settle_s", config.supervision.settle_s, 0, 3600),
        ("voices.identify_s", config.voices.identify_s, 5, 60),
        ("engines.threads", config.engines.threads, 1, 256),
        ("engines.endpoint_ms", config.engines.endpoint_ms, 100, 5000),
        ("engines.most_behind_ms", config.engines.most_behind_ms, 2000, 60_000),
        ("voices.enrolment_speech_s", config.voices.enrolment_speech_s, 10, 400),
        ("engines.step_ms", config.engines.step_ms, 200, 5000),
        *((f"trunks[{place}].port", trunk.port, 1, 65_535) for place, trunk in enumerate(config.trunks)),
    )
    for path, value, least, most in ranges:
        if not least <= value <= most:
            yield f"{path}: {value} is out of range; write a number from {least} to {most}"
    for key, level_db in (("under_talk_db", media.under_talk_db), ("announce_db", media.announce_db)):
        if level_db != "off" and not QUIETEST_DB <= level_db <= 0:
            yield f'media.{key}: {level_db:g} is out of range; write a number from {QUIETEST_DB} to 0, or "off"'
    yield from _voice_problems(config.voices)
    if config.max_lanes < config.max_legs:
        yield f"max_lanes: {config.max_lanes} is too few for {config.max_legs} legs; write at least {config.max_legs}"
    if asterisk.rtp_first_port >= asterisk.rtp_last_port:
        yield "asterisk.rtp_last_port: must be greater than rtp_first_port; each call needs two ports"
    if asterisk.rtp_first_port <= media.port <= asterisk.rtp_last_port:
        yield f"media.port: {media.port} is one of Asterisk's own (rtp_first_port … rtp_last_port); take another"
    if not asterisk.ari_url.startswith(("http://", "https://")):
        yield f"asterisk.ari_url: {shown(asterisk.ari_url)} is not a web address; write one like http://127.0.0.1:8088"


def _voice_problems(voices: "VoicesConfig") -> Iterator[str]:
    for key in ("least_likeness", "least_margin", "other_below"):
        value = getattr(voices, key)
        if not 0 <= value <= 1:
            yield f"voices.{key}: {value:g} is out of range; write a number from 0 to 1"
    scale = scale_of(voices.ecapa_folder)
    if (voices.other_below or scale.other_below) >= (voices.least_likeness or scale.least_likeness):
        yield "voices.other_below: must be less than least_likeness, or a voice would be taken for two people's"
    if voices.country_code and not re.fullmatch(r"[1-9][0-9]{0,2}", voices.country_code):
        yield f'voices.country_code: {shown(voices.country_code)} is none; write its digits alone, like "55"'
