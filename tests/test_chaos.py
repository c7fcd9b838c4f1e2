"""Breaking things in mid-call: the call is still there, the box mends itself, and interprets again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from appliance.demo import softphone
from appliance.demo.call import InterpretedCall, demo_config
from appliance.demo.say import Turn
from appliance.demo.script import spoken
from appliance.engines.registry import load_synthesizer
from appliance.frames.messages import HealthEvent, JournalEntry

pytestmark = pytest.mark.call

WORKERS = ("rtp", "asr", "mt", "tts", "calls", "ops")
BACK_S = 40.0  # generous: models are read again, and the machine may be busy


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InterpretedCall]:
    """One call, which everything that follows must leave up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(softphone, "LONGEST_CALL_S", 1200)
        made = InterpretedCall(
            demo_config(Config(), f"chaos-{os.getpid()}", ("pt-br", "en")), tmp_path_factory.mktemp("chaos")
        )
        made.start()
        with made:
            made.dial()
            yield made


@pytest.fixture(scope="module")
def turn() -> Turn:
    return spoken("Muito obrigado, eu vou esperar na linha.", load_synthesizer("kokoro", Config()))


def channels(call: InterpretedCall) -> list[str]:
    """The kinds of Asterisk's channels, sorted: two of phones, and those of ears and booths."""
    lines = call.asterisk.command("core show channels concise").splitlines()
    return sorted(line.partition("/")[0] for line in lines if "!" in line)


def ready(name: str, entry: JournalEntry) -> bool:
    return isinstance(entry, HealthEvent) and (entry.component, entry.action) == (name, "ready")


def interprets_again(call: InterpretedCall, turn: Turn, before: list[str]) -> None:
    """The phones were never hung up, nothing more is in Asterisk than before, and what is said is heard translated."""
    call.interpret(turn)
    assert channels(call) == before
    assert before.count("PJSIP") == 2
    assert not [name for name, phone in call.phones.items() if phone.hung_up]


@pytest.mark.parametrize("name", WORKERS)
def test_a_killed_process_costs_no_call(call: InterpretedCall, turn: Turn, name: str) -> None:
    before, seen = channels(call), len(call.box.entries())
    killed = call.box.kill(name)
    call.box.wait_for(lambda entry: ready(name, entry), BACK_S, after=seen)
    assert call.box.process_id(name) != killed
    interprets_again(call, turn, before)


@pytest.mark.parametrize("name", ["rtp", "asr", "mt", "tts", "calls"])
def test_a_process_that_stands_still_is_replaced(call: InterpretedCall, turn: Turn, name: str) -> None:
    before, seen = channels(call), len(call.box.entries())
    stopped = call.box.process_id(name)
    os.kill(stopped, signal.SIGSTOP)
    call.box.wait_for(lambda entry: ready(name, entry), BACK_S, after=seen)
    assert call.box.process_id(name) != stopped
    assert not Path(f"/proc/{stopped}").exists()
    interprets_again(call, turn, before)


def test_the_watchdog_itself_may_die(call: InterpretedCall, turn: Turn) -> None:
    before, seen = channels(call), len(call.box.entries())
    call.box.kill("watchdog")
    call.box.start_again()
    call.box.wait_for(lambda entry: ready("watchdog", entry), BACK_S, after=seen)
    interprets_again(call, turn, before)
