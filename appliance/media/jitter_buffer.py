"""Order out of arrival: packets of one stream become frames in sequence, gaps closed after a short wait.

The sender's clock paces the stream, so a packet in order is released at once and nothing is delayed in good times.
Only a gap makes its successors wait, for the missing packet to come late rather than never.
"""

from collections import Counter, deque
from typing import NamedTuple

from appliance.media.rtp import Packet
from appliance.units import FRAME_NS, FRAME_SAMPLES

MAX_GAP_FRAMES = 50  # a longer outage is a jump: a second of invented silence helps nobody
MAX_MISORDER = 100  # RFC 3550 appendix A.1: further behind, it is a sender that has restarted


class Release(NamedTuple):
    """One frame's payload as it was on the wire, empty where it is `concealed`.

    `capture_ns`: when its first sample was spoken, as far as its arrival tells. `discontinuity`: the frame before it
    in the stream is not the 20 ms before it in time.
    """

    payload: bytes
    timestamp: int
    capture_ns: int
    concealed: bool = False
    discontinuity: bool = False


class Expected(NamedTuple):
    """What the next packet looks like if all is well."""

    ssrc: int
    sequence: int
    timestamp: int


class _Arrived(NamedTuple):
    packet: Packet
    arrival_ns: int


class JitterBuffer:
    """One stream of packets of one frame each, on a 16 kHz clock.

    `wait_frames`: how long a gap may last before it is concealed, and how many packets may queue up behind it.
    `counts` gets duplicates, late_packets, reordered, concealed_frames, strays and jumps.
    """

    def __init__(self, wait_frames: int, counts: Counter[str]) -> None:
        self._wait_frames = wait_frames
        self._wait_ns = wait_frames * FRAME_NS
        self._counts = counts
        self._expected: Expected | None = None
        self._held: dict[int, _Arrived] = {}
        self._doubted: _Arrived | None = None
        self._concealed_timestamps: deque[int] = deque(maxlen=MAX_MISORDER)

    @property
    def expected(self) -> Expected | None:
        """The packet that would be released at once; None while a gap, a doubt or the first packet is open.

        While it is not None, whoever sees packets earlier may release expected ones itself, and tell `skip_to`.
        """
        return None if self._held or self._doubted else self._expected

    def skip_to(self, expected: Expected) -> None:
        """Take note that everything before `expected` has been released elsewhere."""
        self._expected = expected

    def push(self, packet: Packet, arrival_ns: int) -> list[Release]:
        """Take a packet in; returns what can be released now, in order.

        `arrival_ns` must not run backwards. The payload must be one frame.
        """
        arrived = _Arrived(packet, arrival_ns)
        if self._expected is None:
            return [self._release(arrived)]
        ahead = self._ahead(packet.sequence)
        if packet.ssrc != self._expected.ssrc or MAX_GAP_FRAMES < ahead < 0x10000 - MAX_MISORDER:
            return self._doubt(arrived)
        self._forget_doubt()
        if ahead >= 0x10000 - MAX_MISORDER:
            self._count_old(packet)
        elif packet.sequence in self._held:
            self._counts["duplicates"] += 1
        else:
            self._counts["reordered"] += any(self._ahead(held) > ahead for held in self._held)
            self._held[packet.sequence] = arrived
        return self._release_ready() + self.poll(arrival_ns)

    def poll(self, now_ns: int) -> list[Release]:
        """Conceal the gaps that have lasted too long; returns what that releases."""
        releases: list[Release] = []
        while self._held and self._is_overdue(now_ns):
            releases += self._conceal_gap()
            releases += self._release_ready()
        return releases

    def _ahead(self, sequence: int) -> int:
        """How far a sequence number is ahead of the expected one, 0 to 65535: the upper part means behind."""
        return (sequence - self._expected.sequence) & 0xFFFF if self._expected else 0

    def _is_overdue(self, now_ns: int) -> bool:
        since_ns = min(arrived.arrival_ns for arrived in self._held.values())
        return len(self._held) > self._wait_frames or now_ns - since_ns >= self._wait_ns

    def _release_ready(self) -> list[Release]:
        releases = []
        while self._held and self._expected and self._expected.sequence in self._held:
            releases.append(self._release(self._held.pop(self._expected.sequence)))
        return releases

    def _release(self, arrived: _Arrived) -> Release:
        packet = arrived.packet
        continues = self._expected is not None and packet.timestamp == self._expected.timestamp
        self._expect_after(packet.ssrc, packet.sequence, packet.timestamp)
        return Release(packet.payload, packet.timestamp, arrived.arrival_ns - FRAME_NS, discontinuity=not continues)

    def _expect_after(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self._expected = Expected(ssrc, (sequence + 1) & 0xFFFF, (timestamp + FRAME_SAMPLES) & 0xFFFFFFFF)

    def _conceal_gap(self) -> list[Release]:
        """Release empty frames up to the first packet that is here."""
        first = min(self._held, key=self._ahead)
        resumes_ns = self._held[first].arrival_ns - FRAME_NS
        gap_frames = self._ahead(first)
        self._counts["concealed_frames"] += gap_frames
        return [self._conceal(resumes_ns - left * FRAME_NS) for left in range(gap_frames, 0, -1)]

    def _conceal(self, capture_ns: int) -> Release:
        assert self._expected is not None, "only a stream that has begun has gaps"
        ssrc, sequence, timestamp = self._expected
        self._concealed_timestamps.append(timestamp)
        self._expect_after(ssrc, sequence, timestamp)
        return Release(b"", timestamp, capture_ns, concealed=True)

    def _count_old(self, packet: Packet) -> None:
        late = packet.timestamp in self._concealed_timestamps
        self._counts["late_packets" if late else "duplicates"] += 1

    def _doubt(self, arrived: _Arrived) -> list[Release]:
        """Believe a jump when two packets in a row agree on it (RFC 3550 appendix A.1); a stray one is dropped."""
        before = self._doubted
        if before is None or not _follows(before.packet, arrived.packet):
            self._forget_doubt()
            self._doubted = arrived
            return []
        self._doubted = None
        self._counts["jumps"] += 1
        return [*self._drain(), self._release(before), self._release(arrived)]

    def _forget_doubt(self) -> None:
        self._counts["strays"] += self._doubted is not None
        self._doubted = None

    def _drain(self) -> list[Release]:
        """End the stream: release all that is held, and expect anything."""
        releases = []
        while self._held:
            releases += self._conceal_gap() + self._release_ready()
        self._expected = None
        return releases


def _follows(before: Packet, packet: Packet) -> bool:
    return packet.ssrc == before.ssrc and packet.sequence == (before.sequence + 1) & 0xFFFF
