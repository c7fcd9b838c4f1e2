"""From the socket to the uplink rings: the packets of every leg's ear become frames."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest

from appliance.frames.datagrams import StreamTable, address_number, stamp_arrivals
from appliance.frames.ring import CONCEALED, DISCONTINUITY, RingWriter
from appliance.frames.roster import Address, Leg, Roster
from appliance.media.codecs import L16, decode_l16
from appliance.media.jitter_buffer import Expected, JitterBuffer, Release
from appliance.media.rtp import Garbage, Packet, parse
from appliance.units import FRAME_BYTES, FRAME_NS

# What a recogniser is misled by least where a packet is missing: nothing, rather than sound that nobody made.
SILENCE = bytes(FRAME_BYTES)


class Ear:
    """One stream of packets on its way into one uplink ring, by Python alone.

    A `fresh` one lines its ring up with the others by the clock and loses what the ring still had of another call.
    """

    def __init__(self, writer: RingWriter, wait_frames: int, counts: Counter[str], fresh: bool = False) -> None:
        self.buffer = JitterBuffer(wait_frames, counts)
        self._writer = writer
        self._counts = counts
        self._fresh = fresh

    def take(self, datagram: bytes, arrival_ns: int) -> Garbage | None:
        """Push what this datagram makes ready into the ring; says why where it is not a packet for us."""
        packet = read_l16(datagram)
        if isinstance(packet, Garbage):
            self._counts["garbage"] += 1
            return packet
        for release in self.buffer.push(packet, arrival_ns):
            self._push(release)
        return None

    def poll(self, now_ns: int) -> None:
        """Push what has waited long enough."""
        for release in self.buffer.poll(now_ns):
            self._push(release)

    def _push(self, release: Release) -> None:
        frame = SILENCE if release.concealed else decode_l16(release.payload)
        if self._fresh:
            self._writer.line_up(release.capture_ns // FRAME_NS)
            self._fresh = False
        flags = CONCEALED * release.concealed | DISCONTINUITY * release.discontinuity
        self._writer.push(frame, capture_ns=release.capture_ns, timestamp=release.timestamp, flags=flags)
        self._counts["uplink_frames"] += 1


class Uplink:
    """All ears on one socket. Packets that come as expected never reach Python (see appliance.frames.datagrams).

    An ear is `watched` while its packets do: until its first packet, and from an odd one until it is in order again.
    """

    def __init__(
        self,
        fd: int,
        writers: Sequence[RingWriter],
        booths: int,
        wait_frames: int,
        counts: Counter[str],
        warn: Callable[[str], None],
    ) -> None:
        stamp_arrivals(fd)
        self._fd = fd
        self._writers = writers
        self._wait_frames = wait_frames
        self._counts = counts
        self._warn = warn
        self._table = StreamTable(len(writers) + booths)
        self._addresses: list[Address | None] = [None] * (len(writers) + booths)
        self._calls: dict[int, int] = {}
        self._ears: dict[int, Ear] = {}
        self._watched: dict[int, Ear] = {}
        self._warned: set[tuple[int, Garbage]] = set()
        self._new_here = True  # the legs found first may be in mid-call: the process before this one heard them

    def follow(self, roster: Roster) -> None:
        """Listen to the ears of `roster` and to nobody else. What Asterisk sends to booths is known, and ignored."""
        legs = {leg.place: leg for leg in roster.legs}
        for place in range(len(self._writers)):
            self._follow_leg(place, legs.get(place))
        booths = [booth.address for booth in roster.booths if booth.address]
        known = self._addresses[len(self._writers) :]
        for row, (before, address) in enumerate(zip_longest(known, booths), start=len(self._writers)):
            if before != address and row < len(self._addresses):
                self._ignore(row, address)
        self._new_here = False

    def receive(self) -> None:
        """Empty the socket."""
        table = self._table
        packets, frames, strangers = table.packets, table.frames, table.strangers
        odd = table.receive(self._fd)
        self._counts["packets_in"] += table.packets - packets
        self._counts["uplink_frames"] += table.frames - frames
        self._counts["strangers"] += table.strangers - strangers
        for row, arrival_ns, datagram in odd:
            self._take(row, arrival_ns, datagram)

    def poll(self, now_ns: int) -> None:
        """Close the gaps that have lasted too long, and let go of the ears that are in order."""
        for row, ear in list(self._watched.items()):
            ear.poll(now_ns)
            if ear.buffer.expected:
                self._table.expect(row, *ear.buffer.expected)
                del self._watched[row]

    def _take(self, row: int, arrival_ns: int, datagram: bytes) -> None:
        ear = self._ears[row]
        if row not in self._watched:
            ear.buffer.skip_to(Expected(*self._table.expected(row)))
            self._watched[row] = ear
        garbage = ear.take(datagram, arrival_ns)
        if garbage and (row, garbage) not in self._warned:
            self._warned.add((row, garbage))
            address = self._addresses[row]
            assert address, "only rows with an address are heard"
            self._warn(f"leg {row}: packets from {address.host}:{address.port} are dropped: {garbage.value}")

    def _follow_leg(self, place: int, leg: Leg | None) -> None:
        address = leg.ear if leg else None
        call = leg.call if leg else 0
        if (address, call) == (self._addresses[place], self._calls.get(place, 0)):
            return
        fresh = not self._new_here and call != self._calls.get(place, 0)
        self._addresses[place], self._calls[place] = address, call
        self._watched.pop(place, None)
        self._ears.pop(place, None)
        if address is None:
            self._table.forget(place)
            return
        self._table.hear(place, address_number(address.host, address.port), self._writers[place], L16.number)
        ear = Ear(self._writers[place], self._wait_frames, self._counts, fresh)
        self._watched[place] = self._ears[place] = ear

    def _ignore(self, row: int, address: Address | None) -> None:
        self._addresses[row] = address
        if address is None:
            self._table.forget(row)
        else:
            self._table.ignore(row, address_number(address.host, address.port))


def read_l16(datagram: bytes) -> Packet | Garbage:
    """A datagram as a packet of one L16 frame, or why it is none."""
    packet = parse(datagram)
    if isinstance(packet, Garbage):
        return packet
    if packet.payload_type != L16.number:
        return Garbage.PAYLOAD_TYPE
    return packet if len(packet.payload) == L16.frame_bytes else Garbage.PAYLOAD_SIZE
