"""Loading a model: both forms give the same, nothing in a file is run, and what is wrong is said in one sentence."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import SPEAKERS, TINY, make_checkpoint, reference
from safetensors.torch import load_file, save_file

from appliance.engines.protocols import EngineError
from appliance.xtts import checkpoint
from appliance.xtts.checkpoint import folded, load
from appliance.xtts.conversion import convert
from appliance.xtts.folder import SUMS, read_sums, sha256, write_sums


@pytest.fixture(scope="session")
def converted(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tiny, tmp_path_factory.mktemp("converted") / "xtts")


@pytest.fixture
def copied(tiny: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny, tmp_path / "model", copy_function=linked)


@pytest.fixture
def copied_converted(converted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(converted, tmp_path / "converted", copy_function=linked)


def linked(source: str, target: str) -> None:
    """Tests replace files, they never write into one: links are as good as copies, and 90 MB less each."""
    Path(target).symlink_to(source)


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_both_forms_give_the_same_and_need_no_right_to_write(tiny: Path, converted: Path) -> None:
    for folder in (tiny, converted):
        for path in (folder, *folder.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        published, safe = load(tiny), load(converted)
    finally:
        for folder in (tiny, converted):
            folder.chmod(0o755)
    assert published.settings == safe.settings
    assert (safe.settings.layers, safe.settings.width, safe.settings.heads) == (TINY.layers, TINY.width, TINY.heads)
    assert published.weights.keys() == safe.weights.keys()
    assert all(torch.equal(published.weights[name], safe.weights[name]) for name in safe.weights)
    assert published.tokenizer.encode("olá, 12", "pt") == safe.tokenizer.encode("olá, 12", "pt")
    assert list(safe.speakers) == list(published.speakers) == list(SPEAKERS)
    for name in SPEAKERS:
        assert safe.speakers[name].conditioning.shape == (32, TINY.width)
        assert safe.speakers[name].speaker_embedding.shape == (512,)
        np.testing.assert_array_equal(safe.speakers[name].conditioning, published.speakers[name].conditioning)


def test_a_converted_folder_holds_no_pickle(converted: Path) -> None:
    files = {path.name for path in converted.iterdir()}
    assert files == {"config.json", "vocab.json", "model.safetensors", "speakers.safetensors", SUMS}
    for path in converted.iterdir():
        with pytest.raises((pickle.UnpicklingError, UnicodeDecodeError, ValueError, EOFError, IndexError, KeyError)):
            pickle.loads(path.read_bytes())


def test_the_weights_are_those_that_coqui_uses(tiny: Path) -> None:
    ours, model = load(tiny).weights, reference(tiny)
    block = model.hifigan_decoder.waveform_decoder.resblocks[4].convs1[1]
    torch.testing.assert_close(ours["hifigan_decoder.waveform_decoder.resblocks.4.convs1.1.weight"], block.weight)
    torch.testing.assert_close(ours["hifigan_decoder.waveform_decoder.ups.1.weight"],
                               model.hifigan_decoder.waveform_decoder.ups[1].weight)  # fmt: skip
    assert torch.equal(ours["gpt.mel_head.weight"], model.gpt.mel_head.weight)


def test_old_names_of_weight_norm_mean_the_same() -> None:
    torch.manual_seed(1)
    g, v = torch.rand(4, 1, 1), torch.randn(4, 3, 5)
    old = folded({"a.weight_g": g, "a.weight_v": v, "a.bias": g[:, 0, 0]})
    new = folded({"a.parametrizations.weight.original0": g, "a.parametrizations.weight.original1": v})
    assert old.keys() == {"a.weight", "a.bias"}
    assert torch.equal(old["a.weight"], new["a.weight"])


def test_the_file_of_2023_with_its_configuration_as_an_object_loads(tmp_path: Path, tiny: Path) -> None:
    folder = make_checkpoint(tmp_path / "old", pickled_config=True)
    with pytest.raises(pickle.UnpicklingError, match="XttsConfig"):
        torch.load(folder / "model.pth", weights_only=True)
    before = sha256(folder / "model.pth")
    assert load(folder).weights.keys() == load(tiny).weights.keys()
    assert sha256(folder / "model.pth") == before  # coqui-tts rewrites it


def test_what_coquis_trainer_adds_is_left_out(tiny: Path, copied: Path) -> None:
    content = torch.load(tiny / "model.pth", weights_only=True)
    content["model"] = {f"xtts.{name}": tensor.half() for name, tensor in content["model"].items()}
    content["model"]["xtts.dvae.codebook"] = torch.zeros(4)
    (copied / "model.pth").unlink()
    torch.save(content, copied / "model.pth")
    weights = load(copied).weights
    assert weights.keys() == load(tiny).weights.keys()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("/tmp/owned-by-a-checkpoint"),)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut_off(name: str) -> Callable[[Path], None]:
    return lambda folder: replace(folder / name, (folder / name).read_bytes()[:-5000])


def with_config(**changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["model_args"] |= changed
        replace(folder / "config.json", json.dumps(config).encode())

    return change


def evil(folder: Path) -> None:
    replace(folder / "model.pth", pickle.dumps({"model": Evil()}, 2))


def evil_zip(folder: Path) -> None:
    (folder / "model.pth").unlink()
    torch.save({"model": Evil()}, folder / "model.pth")


def without_a_weight(folder: Path) -> None:
    content = torch.load(folder / "model.pth", weights_only=True)
    del content["model"]["gpt.mel_head.bias"]
    (folder / "model.pth").unlink()
    torch.save(content, folder / "model.pth")


def speakers_of_another(folder: Path) -> None:
    (folder / "speakers_xtts.pth").unlink()
    voice = {"gpt_cond_latent": torch.zeros(1, 32, 1024), "speaker_embedding": torch.zeros(1, 512, 1)}
    torch.save({"Ana": voice}, folder / "speakers_xtts.pth")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (without("config.json"), "config.json cannot be read (No such file or directory); get the model with"),
        (without("vocab.json"), "vocab.json cannot be read (No such file or directory); get the model with"),
        (without("model.pth"), "model.pth cannot be read (No such file or directory); get the model with"),
        (cut_off("model.pth"), "model.pth is cut off, or is no file of tensors"),
        (cut_off("config.json"), "config.json is not what XTTS v2 has under this name"),
        (cut_off("vocab.json"), "vocab.json is not what XTTS v2 has under this name"),
        (cut_off("speakers_xtts.pth"), "speakers_xtts.pth is cut off, or is no file of tensors"),
        (evil, "model.pth is cut off, or is no file of tensors"),
        (evil_zip, "model.pth is cut off, or is no file of tensors"),
        (without_a_weight, "lacks the weight gpt.mel_head.bias; get an XTTS v2 as it was published"),
        (with_config(gpt_layers=3), "lacks gpt.gpt.h.2.attn.c_attn.weight and 11 more weights"),
        (with_config(gpt_max_audio_tokens=300), "gpt.mel_pos_embedding.emb.weight is 608 × 64 instead of 303 × 64"),
        (with_config(gpt_use_perceiver_resampler=False), "config.json is not of an XTTS v2 (no perceiver)"),
        (with_config(decoder_input_dim=512), "config.json is not of an XTTS v2 (its parts do not fit)"),
        (with_config(gpt_layers="many"), "config.json is not what XTTS v2 has under this name"),
        (speakers_of_another, "speakers_xtts.pth belong to another model"),
    ],
)
def test_what_is_wrong_with_a_published_folder_is_said_in_one_sentence(
    copied: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(copied)
    with pytest.raises(EngineError) as error:
        load(copied)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path("/tmp/owned-by-a-checkpoint").exists()


def another_byte(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    replace(folder / "model.safetensors", bytes(content))


def listed_again(folder: Path) -> None:
    """Somebody who cuts the file off and writes the list anew."""
    cut_off("model.safetensors")(folder)
    sums = read_sums(folder / SUMS) | {"model.safetensors": sha256(folder / "model.safetensors")}
    (folder / SUMS).unlink()
    write_sums(folder / SUMS, sums)


def without_a_speakers_half(folder: Path) -> None:
    tensors = load_file(folder / "speakers.safetensors")
    del tensors[f"{SPEAKERS[0]}/embedding"]
    (folder / "speakers.safetensors").unlink()
    save_file(tensors, folder / "speakers.safetensors")
    sums = read_sums(folder / SUMS) | {"speakers.safetensors": sha256(folder / "speakers.safetensors")}
    (folder / SUMS).unlink()
    write_sums(folder / SUMS, sums)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (another_byte, "model.safetensors has been altered (its SHA-256 is"),
        (cut_off("model.safetensors"), "model.safetensors has been altered (its SHA-256 is"),
        (listed_again, "model.safetensors is cut off, or is no safetensors file"),
        (without("vocab.json"), "vocab.json cannot be read (No such file or directory)"),
        (without("speakers.safetensors"), "speakers.safetensors is listed in SHA256SUMS and cannot be read"),
        (without(SUMS), "SHA256SUMS does not list config.json; convert the model again"),
        (lambda folder: replace(folder / SUMS, b"../../etc/passwd"), "SHA256SUMS is no list of SHA-256 sums"),
        (without_a_speakers_half, "speakers.safetensors lacks 'Claribel Dervla/embedding'; convert the model again"),
    ],
)
def test_what_is_wrong_with_a_converted_folder_is_said_in_one_sentence(
    copied_converted: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(copied_converted)
    with pytest.raises(EngineError) as error:
        load(copied_converted)
    assert sentence in str(error.value)


def test_a_torch_that_opens_pickles_unsafely_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint.torch, "__version__", "2.9.1+cu128")
    with pytest.raises(EngineError, match=r"torch 2\.9\.1\+cu128 opens .* unsafely; install 2\.10 or newer"):
        load(tiny)


def test_a_conversion_never_leaves_half_a_folder(tiny: Path, converted: Path, copied: Path, tmp_path: Path) -> None:
    for source, target, sentence in (
        (converted, tmp_path / "again", "is converted already"),
        (tiny, converted, "is there already"),
        (tiny, tmp_path / "file" / "x", "cannot be written to"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(EngineError, match=sentence):
            convert(source, target)
    without_a_weight(copied)
    with pytest.raises(EngineError, match="lacks the weight"):
        convert(copied, tmp_path / "broken")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "model"}
