"""A folder as speechbrain/spkrec-ecapa-voxceleb is published, with a small network of random weights; without torch."""

import io
import pickle
import types
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

CHANNELS, AGGREGATED, ATTENTION, SQUEEZED, WIDTH, SCALE = 16, 48, 8, 8, 192, 8
SETTINGS = """
# Feature parameters
n_mels: 80
sample_rate: 16000
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    lin_neurons: 192
"""


def weights() -> dict[str, np.ndarray]:
    """A state_dict, the counters of training steps included."""
    made: dict[str, np.ndarray] = {}
    chance = np.random.default_rng(1)

    def conv(name: str, outs: int, ins: int, size: int = 1) -> None:
        made[f"{name}.conv.weight"] = chance.normal(0, (ins * size) ** -0.5, (outs, ins, size)).astype("<f4")
        made[f"{name}.conv.bias"] = chance.normal(0, 0.1, outs).astype("<f4")

    def norm(name: str, channels: int) -> None:
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.3, 0.3),
            ("running_var", 0.5, 2),
        ):
            made[f"{name}.norm.{part}"] = chance.uniform(low, high, channels).astype("<f4")
        made[f"{name}.norm.num_batches_tracked"] = np.array(7, "<i8")

    def tdnn(name: str, outs: int, ins: int, size: int = 1) -> None:
        conv(f"{name}.conv", outs, ins, size)
        norm(f"{name}.norm", outs)

    tdnn("blocks.0", CHANNELS, 80, 5)
    for block in ("blocks.1", "blocks.2", "blocks.3"):
        tdnn(f"{block}.tdnn1", CHANNELS, CHANNELS)
        for part in range(SCALE - 1):
            tdnn(f"{block}.res2net_block.blocks.{part}", CHANNELS // SCALE, CHANNELS // SCALE, 3)
        tdnn(f"{block}.tdnn2", CHANNELS, CHANNELS)
        conv(f"{block}.se_block.conv1", SQUEEZED, CHANNELS)
        conv(f"{block}.se_block.conv2", CHANNELS, SQUEEZED)
    tdnn("mfa", AGGREGATED, 3 * CHANNELS)
    tdnn("asp.tdnn", ATTENTION, 3 * AGGREGATED)
    conv("asp.conv", AGGREGATED, ATTENTION)
    norm("asp_bn", 2 * AGGREGATED)
    conv("fc", WIDTH, 2 * AGGREGATED)
    return made


def write_folder(folder: Path, state: Mapping[str, object] | None = None, settings: str = SETTINGS) -> Path:
    """Write it, and return it."""
    folder.mkdir(exist_ok=True)
    (folder / "hyperparams.yaml").write_text(settings)
    (folder / "embedding_model.ckpt").write_bytes(checkpoint(weights() if state is None else state))
    return folder


def checkpoint(state: Mapping[str, object]) -> bytes:
    """As torch.save writes a state_dict, or a dictionary of them, since 1.6; what is no array goes in as it is."""
    file, described = io.BytesIO(), io.BytesIO()
    storages: list[np.ndarray] = []
    pickler = _Pickler(described, 2)
    pickler.storages = storages
    pickler.dump(_as_tensors(state))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", described.getvalue())
        for key, one in enumerate(storages):
            archive.writestr(f"archive/data/{key}", one.tobytes())
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def _as_tensors(value: object) -> object:
    if isinstance(value, Mapping):
        return OrderedDict((name, _as_tensors(one)) for name, one in value.items())
    return _Tensor(value) if isinstance(value, np.ndarray) else value


class _Storage:
    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers


class _Tensor:
    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        steps = tuple(step // self.numbers.itemsize for step in self.numbers.strides)
        return _rebuild, (_Storage(self.numbers), 0, self.numbers.shape, steps, False, OrderedDict())


class _Pickler(pickle._Pickler):  # in Python: what it writes for a class can be chosen
    storages: list[np.ndarray]

    def persistent_id(self, value: object) -> tuple[object, ...] | None:
        if not isinstance(value, _Storage):
            return None
        self.storages.append(value.numbers)
        kind = _FloatStorage if value.numbers.dtype == np.float32 else _LongStorage
        return "storage", kind, str(len(self.storages) - 1), "cpu", value.numbers.size

    def save_global(self, value: object, name: str | None = None) -> None:
        if value in _NAMES:
            self.write(b"c" + _NAMES[value].encode() + b"\n")
            self.memoize(value)
            return
        super().save_global(value, name)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, type: save_global, types.FunctionType: save_global}


def _rebuild() -> None:
    """Stands for torch's."""


class _FloatStorage:
    """Stands for torch's."""


class _LongStorage:
    """Stands for torch's."""


_NAMES: dict[object, str] = {
    _rebuild: "torch._utils\n_rebuild_tensor_v2",
    _FloatStorage: "torch\nFloatStorage",
    _LongStorage: "torch\nLongStorage",
}
