"""The proof of the model files, and putting together those that come in parts."""

import hashlib
import importlib
import sys
from pathlib import Path

import pytest

from appliance.engines import model_files
from appliance.engines.model_files import Model, ModelFile, assemble, main, manifest, verified_folder
from appliance.engines.protocols import EngineError
from appliance.engines.registry import RECOGNIZERS, SYNTHESIZERS, TRANSLATORS, VOICE_DETECTORS
from appliance.voices.resemblyzer import MODEL as ENCODER

PARTS = {"first.part": b"one half, ", "second.part": b"and the other", "words.txt": b"the vocabulary"}


def model_file(name: str, *parts: str) -> ModelFile:
    content = b"".join(PARTS[part] for part in parts)
    places = tuple(f"toy_model_package:data/{part}" for part in parts)
    return ModelFile(name, places, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of an installed Python package that holds a model in parts."""
    data = tmp_path / "packages" / "toy_model_package" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise RuntimeError('a package of model files is never imported')")
    for name, content in PARTS.items():
        (data / name).write_bytes(content)
    monkeypatch.syspath_prepend(data.parents[1])
    importlib.invalidate_caches()
    return data


IN_PLACE = Model("toy", "MIT", "a test", (model_file("words.txt", "words.txt"),))
IN_PARTS = Model("toy", "MIT", "a test", (model_file("model.bin", "first.part", "second.part"), IN_PLACE.files[0]))


def test_a_model_that_is_whole_in_its_package_stays_there(package: Path, tmp_path: Path) -> None:
    assert not IN_PLACE.assembled
    assert verified_folder(IN_PLACE, tmp_path / "cache") == package


@pytest.mark.usefixtures("package")
def test_a_model_in_parts_is_put_together_under_the_cache(tmp_path: Path) -> None:
    assert IN_PARTS.assembled
    folder = assemble(IN_PARTS, tmp_path / "cache")
    assert folder == verified_folder(IN_PARTS, tmp_path / "cache") == tmp_path / "cache" / "models" / "toy"
    assert (folder / "model.bin").read_bytes() == b"one half, and the other"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["toy"]  # nothing half-done is left beside it


@pytest.mark.usefixtures("package")
def test_what_is_right_is_not_written_again(tmp_path: Path) -> None:
    before = (assemble(IN_PARTS, tmp_path) / "model.bin").stat()
    assert (assemble(IN_PARTS, tmp_path) / "model.bin").stat() == before


FAULTS = {
    "missing": (lambda path: path.unlink(), "cannot be read (No such file or directory)"),
    "truncated": (lambda path: path.write_bytes(b"one"), "has 3 bytes instead of 23"),
    "altered": (lambda path: path.write_bytes(b"One half, and the other"), "has been altered"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "instead of 23"),
}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_is_refused_with_what_to_do_and_assembling_again_repairs_it(tmp_path: Path, fault: str) -> None:
    path = assemble(IN_PARTS, tmp_path) / "model.bin"
    break_it, complaint = FAULTS[fault]
    break_it(path)
    with pytest.raises(EngineError) as refused:
        verified_folder(IN_PARTS, tmp_path)
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)
    assert f"python -m appliance.engines.model_files assemble {tmp_path}" in str(refused.value)
    assemble(IN_PARTS, tmp_path)
    assert path.read_bytes() == b"one half, and the other"


def test_a_wrong_part_is_refused_and_leaves_nothing(package: Path, tmp_path: Path) -> None:
    (package / "second.part").write_bytes(b"and another!!")
    with pytest.raises(EngineError, match=r"altered.*reinstall toy_model_package"):
        assemble(IN_PARTS, tmp_path / "cache")
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_a_missing_part_and_a_missing_package_are_named(package: Path, tmp_path: Path) -> None:
    (package / "first.part").unlink()
    with pytest.raises(EngineError, match=r"toy_model_package:data/first\.part cannot be read"):
        assemble(IN_PARTS, tmp_path)
    nowhere = Model("toy", "MIT", "a test", (ModelFile("x", ("no_such_package:x",), 1, ""),))
    with pytest.raises(EngineError, match=r"package no_such_package .* is not installed; run: make setup"):
        verified_folder(nowhere, tmp_path)


@pytest.mark.usefixtures("package")
def test_set_up_says_in_one_sentence_why_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_files, "manifest", lambda: {"toy": IN_PARTS})
    assert main(["assemble", str(tmp_path / "cache")]) == 0
    (tmp_path / "file").write_text("where the cache should be")
    assert main(["assemble", str(tmp_path / "file")]) == 1
    assert main(["dissemble"]) == 2
    sentence, usage = capsys.readouterr().err.splitlines()
    assert (
        sentence == f"cannot assemble the models: model toy cannot be put into {tmp_path}/file/models: Not a directory"
    )
    assert usage.startswith("usage: ")


CONVERTER = """
def convert(folder):
    (folder / "loud.bin").write_bytes((folder / "quiet.bin").read_bytes().upper())
"""
LOUD = b"ONE HALF, AND THE OTHER"
CONVERTED = Model(
    "toy",
    "MIT",
    "a test",
    files=(ModelFile("loud.bin", (), len(LOUD), hashlib.sha256(LOUD).hexdigest()), IN_PLACE.files[0]),
    sources=(model_file("quiet.bin", "first.part", "second.part"),),
    converter="toy_converter:convert",
)


@pytest.fixture
def converter(package: Path) -> Path:
    module = package.parents[1] / "toy_converter.py"
    module.write_text(CONVERTER)
    sys.modules.pop("toy_converter", None)
    importlib.invalidate_caches()
    return module


@pytest.mark.usefixtures("converter")
def test_a_model_is_converted_once_and_its_sources_are_not_kept(tmp_path: Path) -> None:
    assert CONVERTED.assembled
    folder = assemble(CONVERTED, tmp_path / "cache")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "loud.bin": LOUD,
        "words.txt": PARTS["words.txt"],
    }
    before = (folder / "loud.bin").stat()
    assert assemble(CONVERTED, tmp_path / "cache") == folder
    assert (folder / "loud.bin").stat() == before


@pytest.mark.usefixtures("converter")
def test_a_damaged_converted_file_is_refused_and_converting_again_repairs_it(tmp_path: Path) -> None:
    path = assemble(CONVERTED, tmp_path) / "loud.bin"
    path.write_bytes(LOUD.lower())
    with pytest.raises(EngineError, match=rf"{path} has been altered .*; delete .* and run: .* assemble {tmp_path}"):
        verified_folder(CONVERTED, tmp_path)
    assemble(CONVERTED, tmp_path)
    assert path.read_bytes() == LOUD


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        (CONVERTER.replace("upper", "title"), r"loud\.bin has been altered .* make setup"),
        ("import no_such_package", r"model toy cannot be converted: No module named 'no_such_package'; .* make setup"),
    ],
)
def test_what_a_converter_gets_wrong_is_refused_and_leaves_nothing(
    converter: Path, tmp_path: Path, module: str, complaint: str
) -> None:
    converter.write_text(module)
    with pytest.raises(EngineError, match=complaint):
        assemble(CONVERTED, tmp_path / "cache")
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_every_embedded_engine_has_its_models_in_the_manifest_with_a_licence() -> None:
    made_by = {**RECOGNIZERS, **TRANSLATORS, **SYNTHESIZERS, **VOICE_DETECTORS}
    embedded = {name for name, maker in made_by.items() if not maker.startswith("appliance.engines.from_config:")}
    assert embedded | {ENCODER} == set(manifest())
    for model in manifest().values():
        assert model.licence
        assert model.purpose
        assert model.files
