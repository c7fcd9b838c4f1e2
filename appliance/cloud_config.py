"""The part of the configuration that is about engines which have to be reached, paid for or accepted first."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

PRECISIONS = ("auto", "float32", "float16", "bfloat16", "int8")
FORMALITIES = ("", "more", "less")
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


class DeepgramConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recognition by Deepgram: "deepgram-nova" and "deepgram-flux". The key: DRAGOMAN_DEEPGRAM_KEY."""

    key_file: str = ""
    server: str = "wss://api.deepgram.com"
    nova_model: str = "nova-3"
    flux_model: str = "flux-general-multi"
    answer_ms: int = 2000  # Nova says something once a second, also of silence


class WhisperConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recognition on this machine by a larger Whisper, from a folder of its owner's: "whisper"."""

    folder: Path = Path("~/.cache/dragoman/models/whisper")
    device: str = "auto"  # "cpu", "cuda", "cuda:1"; "auto": a GPU where there is one


class DeepLConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Translation by DeepL: "deepl". The key: DRAGOMAN_DEEPL_KEY."""

    key_file: str = ""
    server: str = ""  # empty: by the kind of key
    budget_ms: int = 800
    formality: str = ""
    glossaries: dict[str, str] = msgspec.field(default_factory=dict)  # "en>pt-br" → id


class NllbConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Translation by NLLB-200 on this machine: "nllb"."""

    folder: Path = Path("~/.cache/dragoman/models/nllb")
    accepted_licence: str = ""
    device: str = "cpu"


class XttsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speech in somebody's own voice by XTTS v2 on this machine: "xtts". Who accepted its licence is in a file."""

    folder: Path = Path("~/.cache/dragoman/models/xtts")
    source: str = ""  # where `dragoman models fetch` finds the files; empty: nowhere
    acceptance_file: Path = Path("~/.local/share/dragoman/accepted-licences.json")
    device: str = "auto"  # "cpu", "cuda", "cuda:1"; "auto": a GPU where there is one
    precision: str = "auto"  # "auto": float16 on a GPU; on a CPU bfloat16 where it has units for it
    streams: int = 0  # spoken at once; 0: as many as the device is measured to carry
    voice: str = ""  # of those that come with the model; empty: the first


class ElevenLabsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speech by ElevenLabs: "elevenlabs". The key: DRAGOMAN_ELEVENLABS_KEY."""

    key_file: str = ""
    server: str = "https://api.elevenlabs.io"
    voice: str = ""
    model: str = "eleven_flash_v2_5"
    answer_ms: int = 2000


class CloudEngines(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them; none is used unless `engines` names it."""

    deepgram: DeepgramConfig = DeepgramConfig()
    whisper: WhisperConfig = WhisperConfig()
    deepl: DeepLConfig = DeepLConfig()
    nllb: NllbConfig = NllbConfig()
    elevenlabs: ElevenLabsConfig = ElevenLabsConfig()
    xtts: XttsConfig = XttsConfig()


def cloud_problems(cloud: CloudEngines) -> Iterator[str]:
    """What is wrong with it although its types are right."""
    ranges = (
        ("deepgram.answer_ms", cloud.deepgram.answer_ms, 500, 60_000),
        ("deepl.budget_ms", cloud.deepl.budget_ms, 50, 10_000),
        ("elevenlabs.answer_ms", cloud.elevenlabs.answer_ms, 200, 60_000),
        ("xtts.streams", cloud.xtts.streams, 0, 512),
    )
    for path, value, least, most in ranges:
        if not least <= value <= most:
            yield f"cloud.{path}: {value} is out of range; write a number from {least} to {most}"
    servers = (
        ("deepgram.server", cloud.deepgram.server, ("wss://", "ws://")),
        ("deepl.server", cloud.deepl.server or "https://", ("https://", "http://")),
        ("elevenlabs.server", cloud.elevenlabs.server, ("https://", "http://")),
    )
    for path, server, schemes in servers:
        if not server.startswith(schemes):
            yield f'cloud.{path}: "{server}" is no address of this kind; begin it with {schemes[0]}'
    if cloud.xtts.source and not cloud.xtts.source.startswith(("https://", "http://")):
        yield f'cloud.xtts.source: "{cloud.xtts.source}" is no address of this kind; begin it with https://'
    for path, device in (("whisper", cloud.whisper.device), ("xtts", cloud.xtts.device)):
        if not DEVICE.fullmatch(device):
            yield f'cloud.{path}.device: "{device}" is not known; write "auto", "cpu", "cuda" or one like "cuda:1"'
    if cloud.xtts.precision not in PRECISIONS:
        yield f'cloud.xtts.precision: "{cloud.xtts.precision}" is not known; write one of {", ".join(PRECISIONS)}'
    if cloud.deepl.formality not in FORMALITIES:
        yield f'cloud.deepl.formality: "{cloud.deepl.formality}" is not known; write "more", "less" or ""'
    for pair in cloud.deepl.glossaries:
        if pair.count(">") != 1:
            yield f'cloud.deepl.glossaries: "{pair}" is not a direction; write one like "en>pt-br"'
