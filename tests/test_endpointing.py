"""Where utterances begin and end, window by window of 32 ms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.endpointing import WINDOW_MS, Endpointer, EndpointPolicy, Utterance

POLICY = EndpointPolicy()
HANG = -(-POLICY.hang_ms // WINDOW_MS)
PREROLL = -(-POLICY.preroll_ms // WINDOW_MS)
LONGEST = -(-POLICY.longest_ms // WINDOW_MS)


def utterances(probabilities: list[float], policy: EndpointPolicy = POLICY) -> list[Utterance]:
    endpointer = Endpointer(policy)
    return [over for over in map(endpointer.push, probabilities) if over is not None]


@pytest.mark.parametrize(
    ("story", "probabilities", "expected"),
    [
        ("silence", [0.1] * 200, []),
        ("speech, with its pre-roll", [0] * 20 + [0.9] * 30 + [0] * HANG, [Utterance(20 - PREROLL, 50, 30)]),
        ("speech at once, without one", [0.9] * 30 + [0] * HANG, [Utterance(0, 30, 30)]),
        ("not over yet", [0.9] * 30 + [0] * (HANG - 1), []),
        ("a short pause", [0.9] * 9 + [0] * (HANG - 1) + [0.9] * 9 + [0] * HANG, [Utterance(0, HANG + 17, 18)]),
        ("it fades but goes on", [0.9] * 9 + [0.4] * 20 + [0] * HANG, [Utterance(0, 29, 29)]),
        ("too faint to begin", [0.4] * 50 + [0] * HANG, []),
        ("a click", [0] * 9 + [0.9] * 3 + [0] * 50, []),
        ("a rustle", ([0.9] + [0] * 9) * 12 + [0] * HANG, []),
        ("a short yes", [0] * 9 + [0.9] * 4 + [0] * HANG, [Utterance(9 - PREROLL, 13, 4)]),
        (
            "two, close together: the second's pre-roll ends where the first did",
            [0.9] * 9 + [0] * HANG + [0.9] * 9 + [0] * HANG,
            [Utterance(0, 9, 9), Utterance(max(9, 9 + HANG - PREROLL), 18 + HANG, 9)],
        ),
    ],
)
def test_utterances(story: str, probabilities: list[float], expected: list[Utterance]) -> None:
    assert utterances(probabilities) == expected, story


@pytest.mark.parametrize("hang_ms", [250, 300, 400, 800])
def test_the_hang_is_what_is_configured(hang_ms: int) -> None:
    endpointer = Endpointer(EndpointPolicy(hang_ms=hang_ms))
    ends = [window for window, p in enumerate([0.9] * 20 + [0] * 40) if endpointer.push(p) is not None]
    assert [(end + 1 - 20) * WINDOW_MS - hang_ms for end in ends] == [-hang_ms % WINDOW_MS]


def test_a_pause_is_seen_before_the_end_and_is_gone_when_speech_goes_on() -> None:
    endpointer = Endpointer(POLICY)
    seen = []
    for probability in [0.9] * 20 + [0] * 8 + [0.9] * 5 + [0] * HANG:
        over = endpointer.push(probability)
        seen.append(endpointer.pause)
    pause = POLICY.pause_ms // WINDOW_MS
    assert seen[: 20 + pause - 1] == [None] * (20 + pause - 1)
    assert seen[20 + pause - 1 : 28] == [Utterance(0, 20, 20)] * (8 - pause + 1)
    assert seen[28:33] == [None] * 5
    assert seen[-2] == over == Utterance(0, 33, 25)  # the last guess was right
    assert seen[-1] is None


def test_a_monologue_is_cut_at_its_best_pause_and_nothing_of_it_is_lost() -> None:
    breath = 2 * LONGEST // 3
    first, second, *_ = utterances([0.99] * breath + [0.6] + [0.99] * LONGEST + [0] * HANG)
    assert first.end == second.start
    assert abs(first.end - breath) <= 1


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]) | st.floats(0, 1), max_size=900))
def test_whatever_is_heard_utterances_are_in_order_apart_and_never_too_long(probabilities: list[float]) -> None:
    endpointer = Endpointer(POLICY)
    end = 0
    for window, probability in enumerate(probabilities):
        over = endpointer.push(probability)
        assert endpointer.needed_from <= window + 1
        assert window + 1 - endpointer.needed_from <= LONGEST + HANG
        if over is not None:
            assert end <= over.start < over.end <= window + 1
            assert over.end - over.start <= LONGEST
            assert POLICY.least_voiced_ms // WINDOW_MS <= over.voiced <= over.end - over.start
            assert over.end <= endpointer.needed_from
            end = over.end
