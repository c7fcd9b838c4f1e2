"""From the downlink rings to the socket: every lane's playout, mixed per booth, encoded, numbered and sent."""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

from appliance import clock
from appliance.frames.datagrams import address_number
from appliance.frames.messages import FirstAudio, clause_of
from appliance.frames.ring import END, START, Frame, RingReader
from appliance.frames.roster import Booth, Lane, Roster, call_stamp
from appliance.media.codecs import G722_64K, G722Encoder
from appliance.media.mixer import mix
from appliance.media.playout import Piece, Playout
from appliance.media.talkspurt import TalkspurtStream
from appliance.units import FRAME_BYTES

SILENCE = bytes(FRAME_BYTES)


class LaneOut:
    """One lane's ring and playout. What has not been played stays uncommitted: a restarted process plays it.

    Frames carry the number of their call: what the last call at this place left in the ring is not for this one.
    """

    def __init__(self, lane: Lane, reader: RingReader, prefill_frames: int) -> None:
        self.lane = lane
        self.reader = reader
        self.playout = Playout(prefill_frames)
        self.dropped = reader.dropped
        self._call = call_stamp(lane.call)

    def tick(self) -> Piece | None:
        """The next 20 ms of this lane, or None."""
        while self.playout.wants_more and (frame := self.reader.pop()):
            if frame.timestamp == self._call:
                self.playout.push(_piece(frame))
        piece = self.playout.tick()
        if piece:
            self.reader.commit(self.reader.position - self.playout.queued)
        return piece


class BoothOut:
    """Where one booth is, the lanes that speak in it, and its RTP stream, which outlives this process."""

    def __init__(self, booth: Booth, address: int, encode: Callable[[bytes], bytes]) -> None:
        self.booth = booth
        self.address = address
        self.lanes: list[LaneOut] = []
        self.stream = TalkspurtStream(G722_64K, encode, ssrc=zlib.crc32(f"{booth.room} {booth.language}".encode()))


def g722() -> Callable[[bytes], bytes]:
    """An encoder for one booth."""
    return G722Encoder().encode


class Downlink:
    """All lanes and booths on one socket.

    `send` takes (address, packet) pairs and returns how many went out; `journal` is told the first audio of each
    clause; `new_encoder` makes a booth's encoder of frames.
    """

    def __init__(
        self,
        send: Callable[[list[tuple[int, bytes]]], int],
        readers: Sequence[RingReader],
        prefill_frames: int,
        counts: Counter[str],
        journal: Callable[[FirstAudio], None],
        new_encoder: Callable[[], Callable[[bytes], bytes]] = g722,
    ) -> None:
        self._send = send
        self._readers = readers
        self._prefill_frames = prefill_frames
        self._counts = counts
        self._journal = journal
        self._new_encoder = new_encoder
        self._lanes: dict[int, LaneOut] = {}
        self._booths: dict[int, BoothOut] = {}

    def follow(self, roster: Roster) -> None:
        """Play the lanes of `roster` into its booths.

        A lane whose booth Asterisk has yet to make waits with what it has to say.
        """
        self._lanes = lanes = {lane.place: self._follow_lane(lane) for lane in roster.lanes}
        self._booths = {booth.place: self._follow_booth(booth) for booth in roster.booths if booth.address}
        for booth in self._booths.values():
            booth.lanes = []
        for out in lanes.values():
            if out.lane.booth in self._booths:
                self._booths[out.lane.booth].lanes.append(out)

    def tick(self, tick: int) -> None:
        """Send the next 20 ms of every booth that has something to say; `tick` counts the box's 20 ms clock."""
        # First all lanes, then all booths: two short loops stay in the CPU's caches, a long one costs half again.
        heard: list[tuple[BoothOut, list[bytes]]] = []
        opened: list[tuple[Lane, Piece]] = []
        for booth in self._booths.values():
            frames = []
            for out in booth.lanes:
                piece = out.tick()
                if piece:
                    frames.append(piece.payload)
                    self._counts["downlink_frames"] += 1
                    if piece.first:
                        opened.append((out.lane, piece))
            if frames or not booth.stream.keep_quiet():
                heard.append((booth, frames or [SILENCE]))
        if heard:
            self._speak(heard, tick)
        for lane, piece in opened:
            self._tell_first_audio(lane, piece)

    def _speak(self, heard: list[tuple[BoothOut, list[bytes]]], tick: int) -> None:
        packets = [(booth.address, booth.stream.packet(mix(frames), tick)) for booth, frames in heard]
        sent = self._send(packets)
        self._counts["packets_out"] += sent
        self._counts["unsent"] += len(packets) - sent

    def count_losses(self) -> None:
        """Add what the lanes had to do without to the counts."""
        for out in self._lanes.values():
            self._counts["dropped_frames"] += out.reader.dropped - out.dropped
            self._counts["underruns"] += out.playout.underruns
            out.dropped, out.playout.underruns = out.reader.dropped, 0

    def _tell_first_audio(self, lane: Lane, piece: Piece) -> None:
        sent_ns = clock.now_ns()
        seq_num, clause = clause_of(piece.clause)
        self._journal(FirstAudio(lane.place, seq_num, clause, sent_ns, chain_ns=sent_ns - piece.speech_end_ns))

    def _follow_lane(self, lane: Lane) -> LaneOut:
        known = self._lanes.get(lane.place)
        if known and known.lane.call == lane.call:
            known.lane = lane
            return known
        return LaneOut(lane, self._readers[lane.place], self._prefill_frames)

    def _follow_booth(self, booth: Booth) -> BoothOut:
        assert booth.address, "only booths with an address are followed"
        known = self._booths.get(booth.place)
        if known and known.booth == booth:
            return known
        return BoothOut(booth, address_number(booth.address.host, booth.address.port), self._new_encoder())


def _piece(frame: Frame) -> Piece:
    payload, flags = frame.payload, frame.flags
    if len(payload) < FRAME_BYTES:
        payload = payload.ljust(FRAME_BYTES, b"\0")
    return Piece(payload, frame.stream, frame.capture_ns, flags & START != 0, flags & END != 0)
