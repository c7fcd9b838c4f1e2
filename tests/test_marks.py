"""Marks: what a restarted appliance makes of the channels it finds in Asterisk."""

import pytest

from appliance.frames.roster import Address
from appliance.telephony.ari import RefusedError
from appliance.telephony.ari_messages import Bridge, Channel, DialplanPosition
from appliance.telephony.legs import LegState
from appliance.telephony.marks import VARIABLE, Mark, find_rooms, local_address, mark_of, revive
from appliance.telephony.places import Seats


def marked(name: str, mark: Mark, state: str = "Up", context: str = "", port: int = 0) -> Channel:
    variables = {VARIABLE: mark.text(), "UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": str(port)}
    return Channel(name, state, dialplan=DialplanPosition(context), channelvars=variables)


def leg_mark(index: int, language: str) -> Mark:
    return Mark("dragoman", "r1", 7, "leg", language, place=index + 4, leg=index, route="1001", phone=f"47{index}")


def a_running_room() -> tuple[list[Channel], list[Bridge]]:
    ear0 = Mark("dragoman", "r1", 7, "ear", "en", leg=0, lanes={"pt-br": 2})
    ear1 = Mark("dragoman", "r1", 7, "ear", "pt-br", leg=1, lanes={"en": 3})
    channels = [
        marked("caller", leg_mark(0, "en"), context="dragoman-room"),
        marked("r1-leg1", leg_mark(1, "pt-br"), context="dragoman-room"),
        marked("r1-ear0", ear0, port=7000),
        marked("r1-ear1", ear1, port=7002),
        Channel("r1-snoop0", "Up"),
        Channel("r1-snoop1", "Up"),
        marked("r1-booth-en", Mark("dragoman", "r1", 7, "booth", "en", place=0), context="dragoman-booth", port=7004),
        marked("r1-booth-pt-br", Mark("dragoman", "r1", 7, "booth", "pt-br", place=1), "Up", "dragoman-booth", 7006),
        Channel("somebody-elses", "Up"),
    ]
    return channels, [Bridge(f"r1-bridge{i}", "dragoman", (f"r1-ear{i}", f"r1-snoop{i}")) for i in range(2)]


def test_a_running_room_is_found_again_with_its_places_and_addresses() -> None:
    channels, bridges = a_running_room()
    live = revive(find_rooms(channels, "dragoman")["r1"], bridges)
    assert live is not None
    assert (live.room.number, live.room.route) == (7, "1001")
    assert [leg.phone for leg in live.room.legs] == ["470", "471"]
    assert [(leg.channel, leg.language, leg.state) for leg in live.room.legs] == [
        ("caller", "en", LegState.TALKING),
        ("r1-leg1", "pt-br", LegState.TALKING),
    ]
    assert live.seats == Seats({0: 4, 1: 5}, {(0, "pt-br"): 2, (1, "en"): 3}, {"en": 0, "pt-br": 1})
    assert live.ears == {0: Address("127.0.0.1", 7000), 1: Address("127.0.0.1", 7002)}
    assert live.booths == {"en": Address("127.0.0.1", 7004), "pt-br": Address("127.0.0.1", 7006)}


@pytest.mark.parametrize("missing", ["caller", "r1-leg1", "r1-ear0", "r1-booth-en"])
def test_a_room_that_lacks_a_part_cannot_go_on(missing: str) -> None:
    channels, bridges = a_running_room()
    rest = [channel for channel in channels if channel.id != missing]
    assert revive(find_rooms(rest, "dragoman")["r1"], bridges) is None


def test_a_room_caught_before_its_ears_were_bridged_cannot_go_on() -> None:
    channels, bridges = a_running_room()
    assert revive(find_rooms(channels, "dragoman")["r1"], bridges[:1]) is None


def test_a_room_in_which_a_leg_has_not_arrived_cannot_go_on() -> None:
    channels, bridges = a_running_room()
    channels[0] = marked("caller", leg_mark(0, "en"), context="dragoman-in")
    assert revive(find_rooms(channels, "dragoman")["r1"], bridges) is None


def test_ringing_goes_on_after_a_restart() -> None:
    channels = [marked("caller", leg_mark(0, "en"), "Ring"), marked("r1-leg1", leg_mark(1, "pt-br"), "Ringing")]
    live = revive(find_rooms(channels, "dragoman")["r1"], [])
    assert live is not None
    assert [leg.state for leg in live.room.legs] == [LegState.WAITING, LegState.RINGING]


def test_the_channels_of_another_appliance_are_none_of_ours() -> None:
    channels, _ = a_running_room()
    assert not find_rooms(channels, "other")
    assert mark_of(Channel("x", channelvars={VARIABLE: "not ours"}), "dragoman") is None


def test_an_asterisk_that_does_not_tell_its_ports_says_what_to_configure() -> None:
    with pytest.raises(RefusedError, match="channelvars"):
        local_address(Channel("r1-ear0", channelvars={VARIABLE: "x"}))
