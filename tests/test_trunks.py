"""Whether trunks are reached, as a real Asterisk sees it."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import Config, Trunk
from appliance.demo.asterisk import PrivateAsterisk, asterisk_tree, with_free_ports
from appliance.demo.child import free_ports
from appliance.frames.messages import HealthEvent
from appliance.supervision.vitals import trunk_word, trunks
from appliance.telephony.ari import Ari
from appliance.telephony.trunks import Trunks

PATIENCE_S = 30


@pytest.mark.call
def test_a_trunk_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    base = Config(asterisk=msgspec.structs.replace(Config().asterisk, ari_password="secret"))
    config = with_free_ports(base)
    (nobody,) = free_ports(1)
    config = msgspec.structs.replace(
        config,
        trunks=(
            Trunk("pbx", "127.0.0.1", port=config.asterisk.sip_port),  # itself, which answers OPTIONS
            Trunk("carrier", "127.0.0.2", port=nobody),
        ),
    )
    told: list[HealthEvent] = []
    shown: list[list[bool | None]] = []

    async def story() -> None:
        async with Ari(config.asterisk) as ari:
            watched = Trunks(ari, ["pbx", "carrier"], told.append, lambda reached: shown.append(list(reached)))
            with PrivateAsterisk(asterisk_tree(config), tmp_path, config):
                deadline = time.monotonic() + PATIENCE_S
                while time.monotonic() < deadline and shown[-1:] != [[True, False]]:
                    await watched.look()
                    await asyncio.sleep(0.05)
                await watched.look()
            await watched.look()

    asyncio.run(story())
    assert shown[-2:] == [[True, False], [None, None]], "and nobody knows while Asterisk is away"
    assert [event.status for event in told if event.component == "trunk/carrier"] == ["UNREACHABLE"], "told once"


@given(st.lists(st.sampled_from([None, True, False]), max_size=40))
def test_the_states_of_all_trunks_go_into_one_word(states: list[bool | None]) -> None:
    word = trunk_word(states)
    assert word < 2**64
    assert trunks(word)[: len(states)] == states[:32]
