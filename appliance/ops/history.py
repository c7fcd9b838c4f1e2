"""The last health events, as operators are told them."""

from collections import deque
from datetime import UTC, datetime, timedelta

import msgspec

from appliance import clock
from appliance.frames.messages import HealthEvent

REMEMBERED = 1000
NS_PER_US = 1000


class Event(msgspec.Struct, frozen=True):
    """One decision about a component.

    `id` grows, also from one run of the appliance to the next; `ts` is the time of day in UTC, ISO 8601.
    """

    id: int
    session_id: str
    component: str
    status: str
    lag_ms: float
    action: str
    ts: str


class History:
    """The last REMEMBERED events, oldest first."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=REMEMBERED)

    def add(self, number: int, told: HealthEvent) -> None:
        """Remember one."""
        event = Event(
            number, told.session_id, told.component, told.status, told.lag_ms, told.action, time_of_day(told.ts_ns)
        )
        self._events.append(event)

    def after(self, number: int = 0) -> list[Event]:
        """The events with a greater `id`, oldest first; all, if `number` is from before this machine was booted."""
        if not self._events or number > self._events[-1].id:
            number = 0
        return [event for event in self._events if event.id > number]


def time_of_day(instant_ns: int) -> str:
    """An instant of CLOCK_MONOTONIC as time of day, by what the wall clock shows now."""
    instant = datetime.now(UTC) - timedelta(microseconds=(clock.now_ns() - instant_ns) // NS_PER_US)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
