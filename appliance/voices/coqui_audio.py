"""Sound as a model of coqui-tts was trained on it: mel bands as the checkpoint's config.json has them, in numpy.

The steps are those of coqui-tts 0.28.0 (utils/audio/processor.py, melspectrogram). Checkpoints of 2021 and later
describe them with the same words; their numbers may be normed by statistics in a file beside them (scale_stats.py).
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from appliance.engines.protocols import EngineError
from appliance.voices.arrays import Floats
from appliance.voices.mel import triangles
from appliance.voices.scale_stats import NotStatistics, read_statistics

SETTINGS = "config.json"
_COMMENTS = re.compile(r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
_FLOOR = 1e-8
_PEAK = 0.95  # what coqui-tts makes of a recording with do_sound_norm
_USUAL_DB = -27.0  # … with do_rms_norm, unless db_level says otherwise

Length = Annotated[int, Meta(ge=16, le=1 << 14)]


class Audio(msgspec.Struct, frozen=True, omit_defaults=True):  # what is added later changes no fingerprint
    """The section "audio" of config.json; what it leaves out is as coqui-tts has it (config/shared_configs.py)."""

    sample_rate: Annotated[int, Meta(ge=8_000, le=48_000)] = 22_050
    fft_size: Length = 1024
    win_length: Length | None = 1024
    hop_length: Length | None = 256
    frame_shift_ms: Annotated[float, Meta(ge=1, le=1000)] | None = None
    frame_length_ms: Annotated[float, Meta(ge=1, le=1000)] | None = None
    stft_pad_mode: Literal["reflect", "constant", "edge"] = "reflect"
    preemphasis: Annotated[float, Meta(ge=0, le=1)] = 0.0
    do_sound_norm: bool = False
    do_rms_norm: bool = False
    db_level: Annotated[float, Meta(ge=-99, le=0)] | None = None
    num_mels: Annotated[int, Meta(ge=8, le=512)] = 80
    mel_fmin: Annotated[float, Meta(ge=0)] = 0.0
    mel_fmax: float | None = None
    spec_gain: float = 20.0
    log_func: Literal["np.log", "np.log10"] = "np.log10"
    do_amp_to_db_mel: bool = True
    signal_norm: bool = True
    ref_level_db: float = 20.0
    min_level_db: Annotated[float, Meta(lt=0)] = -100.0
    symmetric_norm: bool | None = True
    max_norm: float | None = 4.0
    clip_norm: bool | None = True
    stats_path: str | None = None

    @property
    def highest_hz(self) -> float:
        """Where the last band ends."""
        return self.mel_fmax or self.sample_rate / 2

    @property
    def lengths(self) -> tuple[int, int]:
        """Samples of a window, and from one window to the next."""
        if self.hop_length and self.win_length:
            return self.win_length, self.hop_length
        length_ms, shift_ms = self.frame_length_ms or 50.0, self.frame_shift_ms or 12.5
        window = int(length_ms / 1000 * self.sample_rate)
        return window, int(window / (length_ms / shift_ms))


class CoquiAudio:
    """The mel bands that a checkpoint in `folder` expects."""

    def __init__(self, folder: Path) -> None:
        """Raises EngineError where config.json or its statistics are missing, or say what cannot be."""
        self.settings = _read(folder / SETTINGS)
        audio = self.settings
        window, hop = audio.lengths
        if not 1 <= hop <= window <= audio.fft_size or not audio.mel_fmin < audio.highest_hz <= audio.sample_rate / 2:
            raise EngineError(f'{folder / SETTINGS}: "audio" has windows or bands that cannot be; download it again')
        self._hop = hop
        hann = np.hanning(window + 1)[:-1]  # periodic: the next one begins where this one ends
        before = (audio.fft_size - window) // 2
        self._window = np.pad(hann, (before, audio.fft_size - window - before)).astype(np.float32)
        self._bands = triangles(audio.sample_rate, audio.fft_size, audio.num_mels, audio.mel_fmin, audio.highest_hz)
        self._statistics = self._of_training(folder) if audio.stats_path and audio.signal_norm else None

    @property
    def identity(self) -> bytes:
        """All that makes other numbers of the same sound."""
        statistics = b"".join(one.tobytes() for one in self._statistics or ())
        return msgspec.json.encode(msgspec.structs.replace(self.settings, stats_path=None)) + statistics

    def loud_enough(self, samples: Floats) -> Floats:
        """As loud as what the model was trained on, so that how loud a line is says nothing about the speaker."""
        audio = self.settings
        if audio.do_rms_norm:
            rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
            gain = 10 ** ((_USUAL_DB if audio.db_level is None else audio.db_level) / 20) / max(rms, 1e-9)
        else:
            gain = _PEAK / max(float(np.abs(samples).max()), 1e-9)
        return np.asarray(samples * gain, np.float32)

    def mels(self, samples: Floats) -> Floats:
        """(frames, num_mels) of mono samples at the model's rate."""
        audio = self.settings
        if audio.preemphasis:
            samples = np.concatenate((samples[:1], samples[1:] - np.float32(audio.preemphasis) * samples[:-1]))
        padded = np.pad(np.asarray(samples, np.float32), audio.fft_size // 2, mode=audio.stft_pad_mode)
        frames = np.lib.stride_tricks.sliding_window_view(padded, audio.fft_size)[:: self._hop]
        mels = np.abs(np.fft.rfft(frames * self._window, axis=1)) @ self._bands.T
        if audio.do_amp_to_db_mel:
            logarithm = np.log10 if audio.log_func == "np.log10" else np.log
            mels = np.asarray(audio.spec_gain * logarithm(np.maximum(_FLOOR, mels)), np.float32)
        return np.asarray(self._normed(mels) if audio.signal_norm else mels, np.float32)

    def _normed(self, mels: Floats) -> Floats:
        if self._statistics:
            mean, deviation = self._statistics
            return np.asarray((mels - mean) / deviation, np.float32)
        audio = self.settings
        most = audio.max_norm or 1.0
        shares = (mels - audio.ref_level_db - audio.min_level_db) / -audio.min_level_db
        least = -most if audio.symmetric_norm else 0.0
        normed = least + (most - least) * shares
        return np.asarray(np.clip(normed, least, most) if audio.clip_norm else normed, np.float32)

    def _of_training(self, folder: Path) -> tuple[Floats, Floats]:
        # The path in config.json is that of the machine where it was trained.
        path = folder / re.split(r"[/\\]", self.settings.stats_path or "")[-1]
        try:
            return read_statistics(path, self.settings.num_mels)
        except OSError as error:
            what = f"{path} cannot be read: {error.strerror}"
            raise EngineError(f"{what}; {SETTINGS} needs it, put it there as well") from None
        except NotStatistics as error:
            raise EngineError(f"{path} cannot be used: {error}; download it again") from None


def _read(path: Path) -> Audio:
    """Raises EngineError."""
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = json.loads(_COMMENTS.sub(lambda found: found[1] or "", text))
        return msgspec.convert({**content["audio"]}, Audio)
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
        raise EngineError(f"{what}; put all files of the checkpoint there") from None
    except msgspec.ValidationError as error:
        raise EngineError(f'{path}: "audio" is of another kind of model: {error}') from None
    except (ValueError, TypeError, KeyError, RecursionError):
        what = f'{path} is no configuration of coqui-tts with a section "audio"'
        raise EngineError(f"{what}; download it again") from None
