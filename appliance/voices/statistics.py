"""The 64 statistics of prosody: their order in the vector, their units, what is typical, and what they say."""

from typing import NamedTuple


class Statistic(NamedTuple):
    """One number of the vector: (value - typical) / spread.

    Typical and spread were taken from read and synthetic speech, in windows of 4 s; where synthetic voices have less
    variety than people, the spread is that of people. They belong to the model: to change one is to make a new model.
    """

    name: str
    unit: str  # st: semitones; oct: octave
    typical: float
    spread: float
    says: str


STATISTICS = (
    Statistic("pitch_mean", "st", 5.0, 6.0, "mean of the pitch of voiced hops, above 100 Hz"),
    Statistic("pitch_std", "st", 3.0, 1.5, "its standard deviation"),
    Statistic("pitch_p5", "st", 1.0, 6.0, "its 5th percentile"),
    Statistic("pitch_p25", "st", 3.5, 6.0, "its 25th percentile"),
    Statistic("pitch_p50", "st", 5.0, 6.0, "its 50th percentile"),
    Statistic("pitch_p75", "st", 6.5, 6.0, "its 75th percentile"),
    Statistic("pitch_p95", "st", 9.0, 6.0, "its 95th percentile"),
    Statistic("pitch_speed", "st/s", 29.0, 18.0, "how fast it changes, either way"),
    Statistic("pitch_speed_std", "st/s", 160.0, 92.0, "how much that varies"),
    Statistic("pitch_rise", "st/s", 41.0, 31.0, "how fast it rises where it rises"),
    Statistic("pitch_fall", "st/s", -34.0, 30.0, "how fast it falls where it falls"),
    Statistic("pitch_rising_share", "share", 0.28, 0.1, "of all changes, those upwards"),
    Statistic("level_mean", "dB", -11.0, 1.4, "mean of the level while speaking, against its 95th percentile"),
    Statistic("level_std", "dB", 8.7, 1.5, "its standard deviation"),
    Statistic("level_p5", "dB", -26.0, 6.2, "its 5th percentile"),
    Statistic("level_p25", "dB", -15.0, 2.6, "its 25th percentile"),
    Statistic("level_p50", "dB", -8.5, 1.0, "its 50th percentile"),
    Statistic("level_p75", "dB", -3.8, 0.7, "its 75th percentile"),
    Statistic("level_speed", "dB/s", 190.0, 32.0, "how fast it changes, either way"),
    Statistic("level_speed_std", "dB/s", 310.0, 47.0, "how much that varies"),
    Statistic("level_rise", "dB/s", 210.0, 28.0, "how fast it rises where it rises"),
    Statistic("level_fall", "dB/s", -180.0, 40.0, "how fast it falls where it falls"),
    Statistic("level_rising_share", "share", 0.46, 0.027, "of all changes, those upwards"),
    Statistic("pitch_range", "st", 8.0, 4.0, "from its 5th to its 95th percentile"),
    Statistic("pitch_slope", "st/s", -0.5, 1.5, "of the whole melody: speakers let it sink"),
    Statistic("pitch_end_slope", "st/s", -4.0, 20.0, "of the last 0.3 s: a question, a list, an end"),
    Statistic("voiced_share", "share", 0.72, 0.067, "of the speech that has a pitch"),
    Statistic("level_slope", "dB/s", 0.03, 0.82, "of the whole: does the speaker tire, or work up"),
    Statistic("level_above_mean_share", "share", 0.58, 0.028, "of the speech that is louder than its mean"),
    Statistic(
        "modulation_slow", "share", 0.37, 0.13, "of the level's ups and downs, those at 1 to 3 Hz: words and stresses"
    ),
    Statistic("modulation_syllabic", "share", 0.4, 0.12, "… at 3 to 8 Hz: syllables"),
    Statistic("modulation_fast", "share", 0.071, 0.026, "… at 8 to 16 Hz: hurry, trembling"),
    Statistic("syllable_rate", "1/s", 3.5, 0.75, "syllables a second, pauses included"),
    Statistic("articulation_rate", "1/s", 3.9, 0.6, "syllables a second of speech"),
    Statistic("syllable_mean", "s", 0.23, 0.038, "from one syllable to the next"),
    Statistic("syllable_std", "s", 0.084, 0.03, "how much that varies"),
    Statistic("syllable_npvi", "", 0.37, 0.086, "how much it differs between neighbours: the rhythm"),
    Statistic("voiced_run_mean", "s", 0.15, 0.041, "how long the voice goes on without a break"),
    Statistic("voiced_run_std", "s", 0.13, 0.045, "how much that varies"),
    Statistic("voiced_run_longest", "s", 0.47, 0.15, "the longest"),
    Statistic("pause_share", "share", 0.068, 0.057, "of the time between first and last word, silence"),
    Statistic("pause_rate", "1/s", 0.25, 0.19, "pauses a second"),
    Statistic("pause_mean", "s", 0.3, 0.2, "length of a pause"),
    Statistic("pause_std", "s", 0.1, 0.15, "how much that varies"),
    Statistic("pause_longest", "s", 0.4, 0.35, "the longest"),
    Statistic("phrase_mean", "s", 1.8, 0.71, "speech between two pauses"),
    Statistic("phrase_std", "s", 0.44, 0.68, "how much that varies"),
    Statistic("phrase_longest", "s", 2.7, 1.1, "the longest"),
    Statistic(
        "tilt_mean",
        "dB/oct",
        -3.6,
        0.51,
        "how the spectrum falls, 125 Hz to 8 kHz; pressed and excited voices fall less",
    ),
    Statistic("tilt_std", "dB/oct", 1.8, 0.28, "how much that varies"),
    Statistic("tilt_p10", "dB/oct", -6.0, 0.64, "its 10th percentile: the softest sounds"),
    Statistic("tilt_p90", "dB/oct", -1.8, 1.2, "its 90th percentile: the brightest sounds"),
    Statistic("tilt_loud", "dB/oct", -3.4, 0.55, "its mean in the louder half"),
    Statistic("octave_250", "dB", 7.0, 3.5, "250 to 500 Hz, against 500 to 1000"),
    Statistic("octave_1000", "dB", -7.7, 6.6, "1 to 2 kHz, against the same"),
    Statistic("octave_2000", "dB", -1.4, 3.9, "2 to 4 kHz"),
    Statistic("octave_4000", "dB", -17.0, 4.4, "4 to 8 kHz"),
    Statistic("centroid_mean", "Hz", 770.0, 79.0, "where the power has its centre"),
    Statistic("centroid_std", "Hz", 330.0, 81.0, "how much that varies"),
    Statistic("rolloff_mean", "Hz", 1400.0, 220.0, "below which 85 % of the power lies"),
    Statistic("harmonic_mean", "dB", 12.0, 1.4, "harmonics above noise: a clear voice, or a breathy one"),
    Statistic("harmonic_std", "dB", 6.4, 0.94, "how much that varies"),
    Statistic("flux_mean", "", 0.41, 0.061, "how different the spectrum is every 10 ms, 0 to 2"),
    Statistic("flux_std", "", 0.25, 0.026, "how much that varies"),
)
