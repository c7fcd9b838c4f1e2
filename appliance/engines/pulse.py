"""Whether there is still somebody at the other end of a connection: when to ask, and when not to wait any longer.

A service may have nothing to say for a second. Whoever is there answers a ping at once.
"""

from dataclasses import dataclass

ASK_AFTER_S = 0.2  # without a word; all times in seconds of one monotonic clock
LATE_S = 0.2  # whoever looks so much later than usual was away: the answer may lie there unread


@dataclass(slots=True)
class Pulse:
    """Of one connection. `limit_s`: the longest time that an answer takes."""

    limit_s: float
    heard_s: float
    looked_s: float
    asked_s: float | None = None  # when the ping was sent that is not answered

    def hear(self, now_s: float) -> None:
        """Something has come, whatever it was."""
        self.heard_s, self.asked_s = now_s, None

    def is_to_be_asked(self, now_s: float) -> bool:
        """Whether to send a ping now. It is sent, then."""
        if self.asked_s is not None or now_s - self.heard_s < ASK_AFTER_S:
            return False
        self.asked_s = now_s
        return True

    def has_stopped(self, now_s: float) -> bool:
        """Whether a ping has been without an answer for too long. To be asked several times within LATE_S."""
        late_s, self.looked_s = now_s - self.looked_s, now_s
        if self.asked_s is None:
            return False
        if late_s > LATE_S:
            self.asked_s += late_s
        return now_s - self.asked_s > self.limit_s
