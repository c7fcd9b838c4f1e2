"""A voice as one file: what goes in comes out, on any box that has the passphrase, and nothing else does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voice_samples import cluster, profile

from appliance.voices import parcel
from appliance.voices.errors import VoiceError

PASSPHRASE = "correct horse"
ONE = profile(synthesis=(cluster(),), phone_numbers=("1001",))
SEALED = parcel.pack(ONE, PASSPHRASE)


def test_a_voice_travels_as_a_file(tmp_path):
    path = tmp_path / "ana.voice"
    parcel.write(ONE, path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Ana" not in path.read_bytes()
    assert parcel.read(path, PASSPHRASE) == ONE


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    path = tmp_path / "ana.voice"
    path.write_text("mine")
    with pytest.raises(VoiceError, match=r"is there already; name another file$"):
        parcel.write(ONE, path, PASSPHRASE)
    assert path.read_text() == "mine"


def test_a_passphrase_has_a_length():
    with pytest.raises(VoiceError, match=r"^the passphrase is too short; take at least 8 characters$"):
        parcel.pack(ONE, "short")


@pytest.mark.parametrize(
    ("content", "passphrase", "sentence"),
    [
        (SEALED, "wrong horse", "ana.voice cannot be opened: the passphrase is another one, or the file is damaged"),
        (SEALED[:-1], PASSPHRASE, "ana.voice cannot be opened: the passphrase is another one, or the file is damaged"),
        (b"RIFF....WAVEfmt and so on, and so on", PASSPHRASE, "ana.voice is not an exported voice"),
        (b"", PASSPHRASE, "ana.voice is not an exported voice"),
        (
            SEALED[:9] + b"\x3f" + SEALED[10:],
            PASSPHRASE,
            "exported by a version of Dragoman that this one does not know",
        ),
    ],
    ids=["passphrase", "cut", "wave", "empty", "forged"],
)
def test_what_cannot_be_opened_is_one_sentence(content, passphrase, sentence):
    with pytest.raises(VoiceError, match=sentence):
        parcel.unpack(content, passphrase, "ana.voice")


@settings(max_examples=25, deadline=None)
@given(place=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_single_changed_bit_is_found(place, bit):
    content = bytearray(SEALED)
    content[place] ^= 1 << bit
    with pytest.raises(VoiceError):
        parcel.unpack(bytes(content), PASSPHRASE, "ana.voice")


def test_a_file_far_too_long_is_not_read(tmp_path):
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(VoiceError, match=r"is too long for an exported voice$"):
        parcel.read(path, PASSPHRASE)
