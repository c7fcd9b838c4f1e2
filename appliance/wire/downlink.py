"""From the downlink rings to the socket: every lane's playout, mixed per booth, encoded, numbered and sent."""

from collections import Counter
from collections.abc import Callable, Sequence

from appliance import clock
from appliance.frames.datagrams import address_number
from appliance.frames.messages import FirstAudio, clause_of
from appliance.frames.ring import RingReader
from appliance.frames.roster import Booth, Lane, Roster
from appliance.media.codecs import G722Encoder
from appliance.media.hurry import Piece
from appliance.media.mixer import mix
from appliance.units import FRAME_BYTES, FRAME_MS, NS_PER_MS
from appliance.wire.booth_out import BoothOut
from appliance.wire.degrading import Degrading
from appliance.wire.lane_out import LaneOut
from appliance.wire.originals import Original, Originals

PACE_TICKS = 5  # a lane's pace is decided every so often; not of all lanes at the same tick

SILENCE = bytes(FRAME_BYTES)


def g722() -> Callable[[bytes], bytes]:
    """An encoder for one booth."""
    return G722Encoder().encode


class Downlink:
    """All lanes and booths on one socket.

    `send` takes (address, packet) pairs and returns how many went out; `journal` is told the first audio of each
    clause; `new_encoder` makes a booth's encoder of frames. With `originals`, they are heard under their translations.
    Lanes that are behind `catch_up` by speaking faster. `degrading` raises the originals of those that nobody can
    interpret.
    """

    def __init__(
        self,
        send: Callable[[list[tuple[int, bytes]]], int],
        readers: Sequence[RingReader],
        prefill_frames: int,
        counts: Counter[str],
        journal: Callable[[FirstAudio], None],
        new_encoder: Callable[[], Callable[[bytes], bytes]] = g722,
        originals: Originals | None = None,
        catch_up: bool = True,
        degrading: Degrading | None = None,
    ) -> None:
        self._send = send
        self._readers = readers
        self._prefill_frames = prefill_frames
        self._counts = counts
        self._journal = journal
        self._new_encoder = new_encoder
        self._originals = originals
        self._catch_up = catch_up
        self._degrading = degrading
        self._paced: list[list[LaneOut]] = []  # which lanes' pace is decided together
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
        self._paced = [list(lanes.values())[turn::PACE_TICKS] for turn in range(PACE_TICKS)]
        if self._originals:
            self._originals.follow(roster)
            for booth in self._booths.values():
                spoken = {out.lane.leg: (out, original) for out in booth.lanes if (original := self._original(out))}
                booth.originals = list(spoken.values())
        if self._degrading:
            self._degrading.follow(lanes.values())

    def tick(self, tick: int) -> None:
        """Send the next 20 ms of every booth that has something to say; `tick` counts the box's 20 ms clock."""
        # First all lanes, then all booths: two short loops stay in the CPU's caches, a long one costs half again.
        said = 0
        heard: list[tuple[BoothOut, list[bytes]]] = []
        opened: list[tuple[LaneOut, Piece]] = []
        if self._degrading:
            self._degrade(self._paced[tick % PACE_TICKS], self._degrading)
        if self._originals:
            self._originals.tick()
        if self._catch_up:
            for out in self._paced[tick % PACE_TICKS]:
                out.keep_up(PACE_TICKS * FRAME_MS)
        for booth in self._booths.values():
            frames = []
            for out in booth.lanes:
                piece = out.tick()
                if piece:
                    frames.append(piece.payload)
                    if piece.first:
                        opened.append((out, piece))
            said += len(frames)
            frames = booth.with_originals(frames)
            if booth.notes:
                frames.append(booth.notes.popleft())
            if frames or not booth.stream.keep_quiet():
                heard.append((booth, frames or [SILENCE]))
        self._counts["downlink_frames"] += said
        if heard:
            self._speak(heard, tick)
        for out, piece in opened:
            self._tell_first_audio(out, piece)

    def _degrade(self, seen: list[LaneOut], degrading: Degrading) -> None:
        degrading.look(seen)
        for out, notes in degrading.tick():
            booth = self._booths.get(out.lane.booth)
            if booth and not booth.notes:  # several lanes of a booth make one announcement
                booth.notes.extend(notes)
        if self._originals:
            self._originals.raise_legs(degrading.raised_legs)

    def _original(self, out: LaneOut) -> Original | None:
        return self._originals.of(out.lane.leg) if self._originals else None

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

    def _tell_first_audio(self, out: LaneOut, piece: Piece) -> None:
        sent_ns = clock.now_ns()
        chain_ns = sent_ns - piece.speech_end_ns
        out.late_ms = chain_ns / NS_PER_MS
        self._journal(FirstAudio(out.lane.place, *clause_of(piece.clause), sent_ns, chain_ns))

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
        address = address_number(booth.address.host, booth.address.port)
        under_talk = self._originals.new_mix() if self._originals else None
        return BoothOut(booth, address, self._new_encoder(), under_talk)
