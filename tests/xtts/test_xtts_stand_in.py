"""coqui-tts runs where no torchaudio fits, and computes the same there."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import librosa
import numpy as np
import pytest
import soundfile
import torch
from checkpoints import SPEAKERS, reference

from appliance.xtts import torchaudio_stand_in
from appliance.xtts.torchaudio_stand_in import MelSpectrogram, provide_torchaudio

RATE_HZ = 22_050


def tone(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    times_s = np.arange(int(seconds * rate_hz)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * 180 * times_s) + 0.1 * np.sin(2 * np.pi * 1900 * times_s)).astype(np.float32)


def test_coqui_speaks_from_a_random_checkpoint_in_the_published_layout(tiny: Path) -> None:
    model = reference(tiny)
    assert list(model.speaker_manager.speakers) == list(SPEAKERS)
    speaker = model.speaker_manager.speakers[SPEAKERS[0]]
    chunks = model.inference_stream("olá", "pt", *speaker.values(), top_k=1, max_new_tokens=25)
    assert sum(chunk.shape[0] for chunk in chunks) > 0


def test_coqui_computes_a_voice_from_a_recording(tiny: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "me.wav", tone(4.0, 24_000), 24_000)
    latents, embedding = reference(tiny).get_conditioning_latents([str(tmp_path / "me.wav")])
    assert latents.shape == (1, 32, 64)
    assert embedding.shape == (1, 512, 1)
    assert float(embedding.norm()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("norm", "window"), [("slaney", torch.hann_window), (None, torch.hamming_window)])
def test_the_spectrogram_is_the_one_that_librosa_computes(norm: str | None, window: object) -> None:
    sound = tone(0.5)
    shape = {"n_fft": 2048, "hop_length": 256, "win_length": 1024}
    ours = MelSpectrogram(RATE_HZ, **shape, f_max=8000, n_mels=80, norm=norm, window_fn=window)
    theirs = librosa.feature.melspectrogram(
        y=sound, sr=RATE_HZ, **shape, fmax=8000, n_mels=80, norm=norm, htk=True, pad_mode="reflect",
        window="hann" if window is torch.hann_window else "hamming",
    )  # fmt: skip
    np.testing.assert_allclose(ours(torch.from_numpy(sound)[None])[0], theirs, rtol=2e-3, atol=2e-5)
    assert set(ours.state_dict()) == {"spectrogram.window", "mel_scale.fb"}


def test_a_real_torchaudio_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchaudio", "torchcodec"):
        monkeypatch.setitem(sys.modules, name, real := ModuleType(name))
        assert torchaudio_stand_in._imports(name)
        assert sys.modules[name] is real


def test_a_torchaudio_that_was_built_for_another_torch_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('undefined symbol: _ZN3c10')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    for name in ("torchaudio", "torchaudio.functional", "torchaudio.transforms"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert provide_torchaudio()
    assert importlib.util.find_spec("torchaudio") is not None
    import torchaudio  # noqa: PLC0415

    assert torchaudio.functional.resample(torch.zeros(2, 4800), 48_000, 16_000).shape == (2, 1600)
