"""One interpreted call, made for real: a private Asterisk, the appliance, and two softphones that take turns."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from appliance import clock
from appliance.config import Config, Phone, Route
from appliance.demo.accounts import accounts
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.box import Box, BoxError
from appliance.demo.picture import Track
from appliance.demo.say import Turn
from appliance.demo.softphone import Softphone
from appliance.frames.messages import JournalEntry
from appliance.units import NS_PER_MS, NS_PER_S, SAMPLE_RATE_HZ

NUMBER = "1001"
ANSWER_S = 15.0
INTERPRETED_S = 30.0  # after somebody has finished speaking
QUIET_S = 1.0  # nothing more is on its way: an utterance's translation is spoken, and no new one has begun
LOOK_S = 0.05


def demo_config(base: Config, instance: str, languages: tuple[str, str]) -> Config:
    """`base` with free ports and one route: the caller speaks the first language, the callee the second."""
    caller, callee = (Phone(name=f"demo-{language}", password=f"secret-{language}") for language in languages)
    route = Route(NUMBER, caller_language=languages[0], callee_language=languages[1], callee=f"PJSIP/{callee.name}")
    asterisk = msgspec.structs.replace(base.asterisk, ari_password="demo")
    return with_free_ports(
        msgspec.structs.replace(
            base, instance=instance, asterisk=asterisk, phones=(caller, callee), trunks=(), routes=(route,)
        )
    )


class InterpretedCall:
    """A call between two phones through the appliance. Once started, a context manager: nothing runs after it.

    `phones` are by language, the caller's first. Everything is written below `directory`.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        route = config.routes[0]
        self.directory = directory
        self.asterisk = PrivateAsterisk(asterisk_tree(config), directory / "asterisk", config)
        self.box = Box(config, directory)
        self.languages = (route.caller_language, route.callee_language)
        self.phones = {
            language: Softphone(
                phone.name, directory / phone.name, config.asterisk.sip_port, password=phone.password, registers=True
            )
            for language, phone in zip(self.languages, config.phones, strict=True)
        }
        self.start_ns = 0
        self._recording_since_ns: dict[str, int] = {}
        self._said: dict[str, list[tuple[int, Turn]]] = {language: [] for language in self.languages}
        self._cleanup = ExitStack()

    def start(self) -> None:
        """Start Asterisk, the appliance and the phones, all at once; returns when a call can be made."""
        with ExitStack() as cleanup:
            cleanup.callback(self.box.stop)
            self.box.start()
            cleanup.enter_context(self.asterisk)
            for phone in self.phones.values():
                cleanup.enter_context(phone)
            self.box.wait_until_ready()
            self._cleanup = cleanup.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def dial(self) -> None:
        """The caller dials, the callee answers. Returns when both are in their rooms' sound."""
        caller, callee = self.phones.values()
        caller.call(NUMBER)
        callee.wait_for("ESTABLISHED", ANSWER_S)
        self.start_ns = caller.wait_for("ESTABLISHED", ANSWER_S).at_ns
        for language, phone in self.phones.items():
            self._recording_since_ns[language] = phone.wait_for("RTPESTAB", ANSWER_S).at_ns

    def say(self, turn: Turn) -> None:
        """One person speaks; returns at once."""
        self._said[turn.language].append((clock.now_ns(), turn))
        self.phones[turn.language].say(turn.samples)

    def interpret(self, turn: Turn) -> None:
        """One person speaks; returns when the other has heard all of it. Raises BoxError when that takes too long."""
        since_ns = clock.now_ns()
        self.say(turn)
        speech_end_ns = since_ns + int(turn.duration_s * NS_PER_S)
        while clock.now_ns() < speech_end_ns + INTERPRETED_S * NS_PER_S:
            clock.sleep_s(LOOK_S)
            heard_ns = heard_until_ns(self.box.entries(), since_ns)
            if heard_ns is not None and clock.now_ns() > max(heard_ns, speech_end_ns) + QUIET_S * NS_PER_S:
                return
        raise BoxError(f"{turn.name} ({turn.language}) was not interpreted within {INTERPRETED_S:.0f} s")

    def hang_up(self) -> None:
        """The caller hangs up; returns when the callee has noticed."""
        caller, callee = self.phones.values()
        caller.hang_up()
        callee.wait_for("CLOSED", ANSWER_S)

    def said(self, language: str) -> Track:
        """What was said into a phone, on the call's time axis."""
        turns = self._said[language]
        offsets = [(at_ns - self.start_ns) * SAMPLE_RATE_HZ // NS_PER_S for at_ns, _ in turns]
        ends = [offset + len(turn.samples) for offset, (_, turn) in zip(offsets, turns, strict=True)]
        samples = np.zeros(max(ends, default=0), np.int16)
        for offset, (_, turn) in zip(offsets, turns, strict=True):
            samples[offset : offset + len(turn.samples)] = turn.samples
        return Track(samples, SAMPLE_RATE_HZ, 0.0)

    def heard(self, language: str) -> Path:
        """WAV of what a phone received; after `hang_up`. Raises BoxError when it received nothing."""
        recording = self.phones[language].heard()
        if recording is None:
            raise BoxError(f"the {language} phone received no sound (see {self.directory})")
        return recording

    def heard_from_ms(self, language: str) -> float:
        """When the first sample of that recording was heard, from the start of the call."""
        return (self._recording_since_ns[language] - self.start_ns) / NS_PER_MS


def heard_until_ns(entries: list[JournalEntry], since_ns: int) -> int | None:
    """By when every translation of what was said from `since_ns` on has been heard to its end, at the latest.

    None while any of them is not whole or not on its way to the phone yet, or nothing has been understood so far.
    """
    known = [account.heard_until_ns for account in accounts(entries) if account.source.end_ns >= since_ns]
    heard = [until_ns for until_ns in known if until_ns is not None]
    return max(heard) if known and len(heard) == len(known) else None
