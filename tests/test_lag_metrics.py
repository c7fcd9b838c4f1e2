"""Latency metrics with known answers: from the papers' definitions, worked out by hand."""

import pytest

from appliance.bench.lag_metrics import (
    Interpreted,
    audible_revisions,
    average_lagging,
    evenly_spread_lag_ms,
    lag_report,
    length_adaptive_average_lagging,
    quality,
    slope_per_min,
    word_lags_ms,
    word_onsets_ms,
)


@pytest.mark.parametrize(
    ("delays_ms", "source_ms", "reference_words", "lagging_ms"),
    [
        ([4_000, 4_000, 4_000, 4_000], 4_000, 4, 4_000),  # waits for the end: as late as the source is long
        ([1_000, 2_000, 3_000, 4_000], 4_000, 4, 1_000),  # wait-1 of four seconds and four words: one word behind
        ([3_000, 4_000, 4_000, 4_000], 4_000, 4, 3_000),  # wait-3; words after the source's end do not count
        ([0, 1_000, 2_000, 3_000], 4_000, 4, 0),  # an oracle
        ([5_500, 6_000], 4_000, 2, 5_500),  # nothing before the source has ended
    ],
)
def test_average_lagging(delays_ms, source_ms, reference_words, lagging_ms):
    assert average_lagging(delays_ms, source_ms, reference_words) == pytest.approx(lagging_ms)


def test_saying_too_much_lowers_average_lagging_but_not_the_length_adaptive_one():
    delays = [500 * (place + 1) for place in range(8)]  # eight words for a reference of four
    assert average_lagging(delays, 4_000, 4) == pytest.approx(-1_250)
    assert length_adaptive_average_lagging(delays, 4_000, 4) == pytest.approx(500)


def test_saying_less_than_the_reference_is_measured_alike():
    delays = [2_000, 4_000]
    assert length_adaptive_average_lagging(delays, 4_000, 4) == average_lagging(delays, 4_000, 4) == 2_500


@pytest.mark.parametrize(("delays", "source_ms", "words"), [([], 1_000, 1), ([1.0], 0, 1), ([1.0], 1_000, 0)])
def test_lagging_of_nothing_is_refused(delays, source_ms, words):
    with pytest.raises(ValueError, match="lagging needs"):
        average_lagging(delays, source_ms, words)


def test_words_begin_where_their_characters_do():
    assert word_onsets_ms(Interpreted("aaa a aaa", 0, 0, 1_000, 2_000)) == [1_000, 1_400, 1_600]


def test_each_word_lags_behind_its_place_in_the_source():
    assert word_lags_ms(Interpreted("ab cd", 0, 1_000, 2_000, 3_000)) == [2_000, 2_000]


def test_words_that_were_held_back_count_from_their_part_of_the_segment():
    told_with_its_end = Interpreted("four words held back", 1_900, 2_000, 3_000, 5_000)
    assert sum(word_lags_ms(told_with_its_end)) / 4 == pytest.approx(1_824.4, abs=0.1)
    assert evenly_spread_lag_ms([told_with_its_end], [(0, 2_000)]) == pytest.approx(3_761.9 - 750, abs=0.1)
    assert evenly_spread_lag_ms([told_with_its_end], [(0, 1_000), (1_000, 2_000)]) == pytest.approx(
        3_761.9 - 375, abs=0.1
    )
    assert evenly_spread_lag_ms([], [(0, 2_000)]) == 0


def test_a_slope_is_found_under_outliers():
    times = [60_000.0 * minute for minute in range(11)]
    lags = [1_000 + 25 * minute for minute in range(11)]
    lags[3] = 60_000
    assert slope_per_min(times, lags) == pytest.approx(25)
    assert slope_per_min([0.0], [5.0]) == slope_per_min([], []) == 0


def test_the_report_of_a_lane():
    heard = [
        Interpreted("um dois", 0, 1_000, 1_500, 2_500),
        Interpreted("três quatro", 1_000, 2_000, 2_500, 3_500),
        Interpreted("cinco", 5_000, 6_000, 6_700, 7_200),
    ]
    report = lag_report(heard, speech_ends_ms=[2_000, 6_000])
    assert report.words == 5
    assert report.mean_lag_ms == pytest.approx((1_500 + 1_375 + 1_500 + 1_416.667 + 1_700) / 5, abs=1)
    # The first utterance was heard before its end, its last piece 500 ms after it; the second is one piece.
    assert (report.first_audio_p50_ms, report.first_audio_p95_ms) == (350, 665)
    assert (report.last_clause_p50_ms, report.last_clause_p95_ms) == (600, 690)
    # First utterance: 2 s, delays 1500 and 1875, then 2500 ≥ 2000: three words count. Second: one word, 1700.
    assert report.average_lagging_ms == report.laal_ms == pytest.approx(((1_500 + 1_375 + 1_500) / 3 + 1_700) / 2)


def test_a_longer_reference_raises_average_lagging():
    heard = [Interpreted("um dois", 0, 1_000, 500, 1_000)]
    assert lag_report(heard, [1_000], reference_words=4).average_lagging_ms > lag_report(heard, [1_000]).laal_ms


def test_silence_has_no_lag():
    with pytest.raises(ValueError, match="nothing was heard"):
        lag_report([], [])


def test_quality_is_what_sacrebleu_says():
    assert quality("a casa é azul e grande", "a casa é azul e grande").chrf == pytest.approx(100)
    assert quality("a casa é azul e grande", "a casa é azul e grande").bleu == pytest.approx(100)
    worse = quality("o prédio é verde", "a casa é azul e grande")
    assert worse.chrf < 40
    assert worse.bleu < 20


def test_audible_revisions_are_changes_of_what_was_said():
    assert audible_revisions(["o", "o número", "o número da conta"]) == 0
    assert audible_revisions(["o número", "meu número da", "meu número da conta"]) == 1
    assert audible_revisions(["o número", "o"]) == 1
    assert audible_revisions([]) == 0
