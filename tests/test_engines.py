"""The embedded engines on real speech, the guards around them, and how they are chosen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import msgspec
import numpy as np
import pytest
from recordings import prompt

from appliance.cloud_config import CloudEngines, WhisperConfig
from appliance.config import Config, EnginesConfig
from appliance.engines import registry
from appliance.engines.model_files import assemble, manifest, verified_folder
from appliance.engines.protocols import (
    BatchRecognizer,
    EngineError,
    EngineUnavailable,
    Hypothesis,
    Recognizer,
    Samples,
    Synthesizer,
    Translator,
    VoiceDetector,
    Window,
    covers,
)
from appliance.engines.registry import (
    for_language,
    load_recognizer,
    load_recognizers,
    load_synthesizer,
    load_translator,
    load_translators,
    load_voice_detector,
)
from appliance.engines.whisper import believable
from appliance.media.resample import resample
from appliance.speech.clauses import clause_words, pause_after_ms
from appliance.speech.endpointing import Endpointer, EndpointPolicy
from appliance.speech.hallucination import Evidence, believed
from appliance.speech.trimming import silence, trimmed
from appliance.speech.words import shared_words, word_error_rate
from appliance.stages.local_stream import StreamPolicy
from appliance.stages.local_streams import LocalStreams
from appliance.units import NS_PER_S, SAMPLE_RATE_HZ

CONFIG = Config()
PROMPTS = {  # recordings of a person, and what she says
    "vm-nobodyavail": "Nobody is available to take your call at the moment.",
    "pbx-invalid": "I am sorry, that's not a valid extension. Please try again.",
    "one-moment-please": "One moment please.",
}
PORTUGUESE = (
    "Eu gostaria de reservar uma mesa para duas pessoas às oito horas.",
    "Vou verificar com o meu gerente e ligo de volta em dez minutos.",
    "Ninguém está disponível para atender a sua chamada no momento.",
)
ENGLISH = "Let me check with my manager and call you back in ten minutes."


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    for model in manifest().values():
        if model.assembled:
            assemble(model, CONFIG.cache_dir)


@pytest.fixture(scope="module")
def detector() -> VoiceDetector:
    return load_voice_detector(CONFIG)


@pytest.fixture(scope="module")
def tiny() -> BatchRecognizer:
    return load_recognizer("whisper-tiny-en", CONFIG)


@pytest.fixture(scope="module")
def base() -> BatchRecognizer:
    return load_recognizer("whisper-base", CONFIG)


@pytest.fixture(scope="module")
def bergamot() -> Translator:
    return load_translator("bergamot", CONFIG)


@pytest.fixture(scope="module")
def kokoro() -> Synthesizer:
    return load_synthesizer("kokoro", CONFIG)


@pytest.fixture(scope="module")
def piper() -> Synthesizer:
    return load_synthesizer("piper", CONFIG)


def speak(synthesizer: Synthesizer, text: str, language: str, speed: float = 1.0) -> Samples:
    """`text` as tts speaks it: by clauses, trimmed."""
    words, spoken = text.split(), []
    while words:
        count = clause_words(words, language, synthesizer.clause_sizes.longest_chars)
        for piece in synthesizer.synthesize(" ".join(words[:count]), language, speed):
            spoken += [trimmed(resample(piece.samples, piece.rate_hz), SAMPLE_RATE_HZ)]
        spoken += [silence(pause_after_ms(words[count - 1]), SAMPLE_RATE_HZ)]
        words = words[count:]
    return np.concatenate(spoken)


def noise(loudness: float, duration_s: float) -> Samples:
    return np.random.default_rng(7).normal(0, loudness, int(duration_s * SAMPLE_RATE_HZ)).astype(np.float32)


# --- hearing ---


def test_the_detector_finds_where_a_person_speaks(detector: VoiceDetector) -> None:
    speech = trimmed(prompt("vm-nobodyavail"), SAMPLE_RATE_HZ)
    quiet = noise(0.001, 1.0)
    heard = np.concatenate((quiet, speech, quiet))
    windows = heard[: len(heard) // 512 * 512].reshape(-1, 512)
    probabilities, _ = detector.detect(windows, np.zeros(detector.state_size, np.float32))
    endpointer = Endpointer(EndpointPolicy())
    (utterance,) = (over for over in map(endpointer.push, probabilities.tolist()) if over)
    ends = len(quiet) + len(speech)
    assert len(quiet) - 0.4 * SAMPLE_RATE_HZ <= utterance.start * 512 <= len(quiet)
    assert ends - 0.2 * SAMPLE_RATE_HZ <= utterance.end * 512 <= ends + 0.2 * SAMPLE_RATE_HZ


def test_the_detector_judges_window_by_window_as_it_judges_all_at_once(detector: VoiceDetector) -> None:
    windows = prompt("one-moment-please")[: 40 * 512].reshape(40, 512)
    state = np.zeros(detector.state_size, np.float32)
    at_once, _ = detector.detect(windows, state)
    one_by_one = []
    for window in windows:
        probability, state = detector.detect(window[None], state)
        one_by_one.append(probability[0])
    assert one_by_one == pytest.approx(at_once, abs=1e-5)


def test_the_detector_is_not_fooled_by_noise(detector: VoiceDetector) -> None:
    windows = noise(0.05, 2.0)[: 60 * 512].reshape(60, 512)
    probabilities, _ = detector.detect(windows, np.zeros(detector.state_size, np.float32))
    assert np.mean(probabilities > 0.5) < 0.1


@pytest.mark.parametrize("engine", ["tiny", "base"])
def test_a_person_is_understood(engine: str, request: pytest.FixtureRequest) -> None:
    recognizer: Recognizer = request.getfixturevalue(engine)
    heard = " ".join(recognizer.recognize(prompt(name), "en").text for name in PROMPTS)
    assert word_error_rate(" ".join(PROMPTS.values()), heard) <= 0.15


@pytest.mark.parametrize("engine", ["tiny", "base"])
@pytest.mark.parametrize("loudness", [0, 0.001, 0.05])
def test_where_nobody_speaks_no_text_is_made_up(engine: str, loudness: float, request: pytest.FixtureRequest) -> None:
    recognizer: Recognizer = request.getfixturevalue(engine)
    assert recognizer.recognize(noise(loudness, 1.5), "en").text == ""


def test_each_window_of_a_batch_is_heard_as_if_it_were_alone(base: BatchRecognizer) -> None:
    windows = [Window(trimmed(prompt(name), SAMPLE_RATE_HZ), "en") for name in PROMPTS]
    windows[1] = Window(np.zeros(0, np.float32), "pt-br")
    together = base.decode(windows)
    alone = [base.decode([window])[0] for window in windows]
    assert [said(each) for each in together] == [said(each) for each in alone]
    assert word_error_rate(PROMPTS["vm-nobodyavail"], said(together[0])) <= 0.15


def test_a_window_says_when_each_word_was_spoken(tiny: BatchRecognizer) -> None:
    speech = trimmed(prompt("vm-nobodyavail"), SAMPLE_RATE_HZ)
    speech_s = len(speech) / SAMPLE_RATE_HZ
    early, late = (
        tiny.decode([Window(np.concatenate((silence(ms, SAMPLE_RATE_HZ), speech)), "en")])[0] for ms in (0, 1000)
    )
    times = [time_ns for word in early.words for time_ns in (word.start_ns, word.end_ns)]
    assert times == sorted(times)
    assert 0.6 * speech_s <= times[-1] / NS_PER_S <= speech_s + 0.3
    assert abs(late.words[-1].start_ns - early.words[-1].start_ns - NS_PER_S) <= 0.3 * NS_PER_S


def test_a_prompt_is_carried_on_from_and_not_said_again(tiny: BatchRecognizer) -> None:
    speech = trimmed(prompt("vm-nobodyavail"), SAMPLE_RATE_HZ)
    (hypothesis,) = tiny.decode([Window(speech, "en", "We are sorry. The office is closed today.")])
    words = believed(hypothesis.words, Evidence(voiced_ratio=1.0))  # a prompt makes loops likelier
    assert word_error_rate(PROMPTS["vm-nobodyavail"], " ".join(word.text for word in words)) <= 0.15


def test_the_language_is_told_from_the_sound(base: BatchRecognizer, tiny: BatchRecognizer, kokoro: Synthesizer) -> None:
    for speech, language in ((prompt("vm-nobodyavail"), "en"), (speak(kokoro, PORTUGUESE[0], "pt-br"), "pt")):
        probabilities = base.language_probabilities(speech)
        assert max(probabilities, key=probabilities.__getitem__) == language
    assert tiny.language_probabilities(prompt("vm-nobodyavail")) == {"en": 1.0}


def said(hypothesis: Hypothesis) -> str:
    return " ".join(word.text for word in hypothesis.words)


def test_speech_longer_than_whisper_takes_is_cut_and_none_at_all_is_no_error(tiny: Recognizer) -> None:
    assert tiny.recognize(np.zeros(0, np.float32), "en").text == ""
    long = np.concatenate((prompt("pbx-invalid"), prompt("vm-nobodyavail"), silence(40_000, SAMPLE_RATE_HZ)))
    assert shared_words(PROMPTS["pbx-invalid"], tiny.recognize(long, "en").text) >= 0.8


def test_a_recognizer_refuses_a_language_it_does_not_know(tiny: Recognizer, base: Recognizer) -> None:
    assert covers(tiny.languages, "en-us")
    assert {"en", "pt", "de", "ja"} <= base.languages
    with pytest.raises(EngineError, match='"pt-br"'):
        tiny.recognize(noise(0.1, 1), "pt-br")
    with pytest.raises(EngineError, match='"tlh"'):
        base.recognize(noise(0.1, 1), "tlh")


@pytest.mark.parametrize(
    ("text", "speech_s", "so"),
    [
        ("", 0.0, True),
        ("Yes.", 0.2, True),
        ("no no no", 1.0, True),
        ("ha ha ha ha ha ha", 2.0, True),
        ("You know, you know, you know.", 2.0, True),
        ("the end of about 1455 of about 1455 of about 1455 of about 1455", 8.0, False),
        ("you you you you you you you you", 4.0, False),
        ("Thank you. thank you, Thank you! thank you", 4.0, False),
        ("one two three four five six seven eight one two three four five six seven eight", 10.0, True),
        ("a sentence of twelve words that nobody can say in one second", 1.0, False),
    ],
)
def test_what_a_recognizer_may_be_believed(text: str, speech_s: float, so: bool) -> None:
    assert believable(text.split(), speech_s) is so


# --- translating ---


@pytest.mark.parametrize(
    ("source", "target", "text", "words"),
    [
        ("en", "pt-br", "Please enter your password.", "Por favor, insira sua senha."),
        ("pt-br", "en", "O livro está no armário.", "The book is in the closet."),
        ("en-us", "pt", "Good morning. How are you?", "Bom dia. Como você está?"),
        ("en", "pt-br", "The telephone is in the car.", "O telefone está no carro."),  # not "não carro"
    ],
)
def test_sentences_are_translated(bergamot: Translator, source: str, target: str, text: str, words: str) -> None:
    assert shared_words(words, bergamot.translate(text, source, target)) >= 0.8


def test_sentences_stay_apart(bergamot: Translator) -> None:
    text = (
        "All of our representatives are currently busy. Please stay on the line and your call will be answered by the "
        "next available representative."
    )
    translation = bergamot.translate(text, "en", "pt-br")
    assert ". Por favor, fique" in translation


def test_a_translator_refuses_a_pair_it_does_not_know(bergamot: Translator) -> None:
    with pytest.raises(EngineError, match='from "en" to "de"'):
        bergamot.translate("Hello.", "en", "de")


@pytest.mark.parametrize("text", ["", "   ", "...", "1455", "🙂", "word " * 400])
def test_a_translator_survives_any_text(bergamot: Translator, text: str) -> None:
    assert isinstance(bergamot.translate(text, "en", "pt-br"), str)


# --- speaking ---


def test_spoken_portuguese_is_understood(kokoro: Synthesizer, base: Recognizer) -> None:
    heard = [base.recognize(speak(kokoro, sentence, "pt-br"), "pt-br").text for sentence in PORTUGUESE]
    assert shared_words(" ".join(PORTUGUESE), " ".join(heard)) >= 0.7


def test_spoken_english_is_understood(piper: Synthesizer, tiny: Recognizer) -> None:
    assert shared_words(ENGLISH, tiny.recognize(speak(piper, ENGLISH, "en"), "en").text) >= 0.8


def test_voices_share_one_espeak(kokoro: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    kokoro.warm()  # by now espeak-ng has been initialised; a second time would pull its tables from under the voices
    initialised: list[str] = []
    monkeypatch.setattr("piper.espeakbridge.initialize", initialised.append)
    for name in ("kokoro", "piper"):
        load_synthesizer(name, CONFIG).warm()
    assert initialised == []


@pytest.mark.parametrize(("engine", "text", "language"), [("kokoro", PORTUGUESE[1], "pt-br"), ("piper", ENGLISH, "en")])
def test_speed_is_honoured(engine: str, text: str, language: str, request: pytest.FixtureRequest) -> None:
    synthesizer: Synthesizer = request.getfixturevalue(engine)
    # Piper never says it twice in the same time: several tries make up for that.
    slow, fast = (sum(len(speak(synthesizer, text, language, speed)) for _ in range(5)) for speed in (0.8, 1.25))
    assert 1.2 < slow / fast < 2.0  # 1.56 for Kokoro; Piper rounds every phoneme up to whole frames: 1.27


@pytest.mark.parametrize(("engine", "language"), [("kokoro", "pt-br"), ("piper", "en")])
def test_the_voices_are_about_as_loud_and_never_clip(
    engine: str, language: str, request: pytest.FixtureRequest
) -> None:
    synthesizer: Synthesizer = request.getfixturevalue(engine)
    spoken = speak(synthesizer, PORTUGUESE[0] if language == "pt-br" else ENGLISH, language)
    loud = spoken[np.abs(spoken) > 0.01]
    assert np.abs(spoken).max() < 1.0
    assert -26 < 10 * np.log10(np.mean(loud**2)) < -16


@pytest.mark.parametrize(("engine", "language"), [("kokoro", "pt-br"), ("piper", "en")])
@pytest.mark.parametrize("text", ["", "...", "🙂", "<b>", "a" * 700])
def test_a_synthesizer_survives_any_text(engine: str, language: str, text: str, request: pytest.FixtureRequest) -> None:
    synthesizer: Synthesizer = request.getfixturevalue(engine)
    for piece in synthesizer.synthesize(text, language):
        assert np.isfinite(piece.samples).all()


@pytest.mark.parametrize(("engine", "language"), [("kokoro", "en"), ("piper", "pt-br")])
def test_a_synthesizer_refuses_a_language_it_does_not_speak(
    engine: str, language: str, request: pytest.FixtureRequest
) -> None:
    synthesizer: Synthesizer = request.getfixturevalue(engine)
    with pytest.raises(EngineError, match=f'"{language}"'):
        list(synthesizer.synthesize("Oi.", language))


# --- choosing and loading ---


@pytest.mark.parametrize(
    ("language", "engine"), [("pt-br", "brazil"), ("pt", "portugal"), ("pt-ao", "portugal"), ("de", "other")]
)
def test_an_engine_is_chosen_by_tag_then_by_its_first_part_then_any(language: str, engine: str) -> None:
    table = {"pt-br": "brazil", "pt": "portugal", "*": "other"}
    assert for_language(table, language, "recognizers") == engine


def test_a_language_without_an_engine_is_an_error_that_says_where_to_name_one() -> None:
    with pytest.raises(EngineError, match=r'no engine for "de"; name one under engines\.synthesizers'):
        for_language({"pt-br": "kokoro"}, "de", "synthesizers")


def test_an_unknown_engine_is_an_error_that_says_which_there_are() -> None:
    with pytest.raises(
        EngineError, match='no engine "whisper-huge"; choose one of whisper, whisper-base, whisper-tiny-en'
    ):
        load_recognizer("whisper-huge", CONFIG)


def test_a_model_of_ones_own_is_loaded_from_its_folder(tmp_path: Path) -> None:
    folder = verified_folder(manifest()["whisper-base"], CONFIG.cache_dir)
    with pytest.raises(EngineError, match=f"Whisper cannot be loaded from {tmp_path}: there is no model.bin"):
        load_recognizer("whisper", with_whisper(WhisperConfig(tmp_path, "cpu")))
    own = load_recognizer("whisper", with_whisper(WhisperConfig(folder, "auto")))
    assert {"en", "pt"} <= own.languages


@pytest.mark.skipif(ctranslate2.get_cuda_device_count() > 0, reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_an_error_that_says_so() -> None:
    folder = verified_folder(manifest()["whisper-base"], CONFIG.cache_dir)
    with pytest.raises(EngineError, match=r"Whisper cannot be loaded from .*: CUDA"):
        load_recognizer("whisper", with_whisper(WhisperConfig(folder, "cuda:1")))


def with_whisper(chosen: WhisperConfig) -> Config:
    return msgspec.structs.replace(CONFIG, cloud=CloudEngines(whisper=chosen))


def test_an_engine_that_serves_two_languages_is_loaded_once() -> None:
    config = Config(engines=EnginesConfig(recognizers={"en": "whisper-tiny-en", "en-gb": "whisper-tiny-en"}))
    detector = load_voice_detector(config)
    engines = load_recognizers(config, lambda each: LocalStreams(each, detector, StreamPolicy()))
    assert list(engines.by_name) == ["whisper-tiny-en"]
    assert engines.chains == {"en": ("whisper-tiny-en",), "en-gb": ("whisper-tiny-en",)}
    for engine in engines.by_name.values():
        engine.close()


class Cold:
    """An engine that cannot be reached yet."""

    def warm(self) -> None:
        raise EngineUnavailable("nobody answers")


def test_an_engine_that_does_not_warm_up_is_no_reason_not_to_begin_if_another_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.TRANSLATORS, "deepl", "test_engines:cold")
    chained = load_translators(Config(engines=EnginesConfig(translator=("deepl", "bergamot"))))
    assert list(chained.cold) == ["deepl"]
    assert chained.chains == {"*": ("deepl", "bergamot")}
    with pytest.raises(EngineUnavailable, match="nobody answers"):
        load_translators(Config(engines=EnginesConfig(translator="deepl")))


def cold(_config: Config) -> Cold:
    return Cold()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("an engine wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["whisper-tiny-en", "whisper-base"])
def test_loading_and_warming_touch_no_network(name: str) -> None:
    load_recognizer(name, CONFIG).warm()
