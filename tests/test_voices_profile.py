"""The profile of a voice: bounds, round trips, older versions, consent, numbers."""

from contextlib import suppress
from datetime import UTC, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from voice_samples import CONSENT, NOW, cluster, profile

from appliance.voices.arrays import MAX_BYTES, Array
from appliance.voices.consent import Consent, standing
from appliance.voices.errors import VoiceDamaged
from appliance.voices.migrations import decode, encode
from appliance.voices.profile import (
    IDENTITY_SLOT,
    MAX_CLUSTERS,
    DefaultParams,
    Embedding,
    Profile,
    Quality,
    dialled,
    nearest,
    new_speaker_id,
)

names = st.text(min_size=1, max_size=200)
moments = st.datetimes(timezones=st.just(UTC))
floats = st.floats(-1e6, 1e6, width=32)
vectors = st.integers(1, 64).flatmap(lambda width: hnp.arrays(np.float32, width, elements=floats))
arrays = hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=6), elements=floats).map(Array.of)
consents = st.builds(
    Consent,
    by=names,
    at=moments,
    wording=st.text(min_size=1, max_size=4000),
    expires_at=st.none() | moments,
    withdrawn_at=st.none() | moments,
    recording=st.binary(max_size=100),
)
profiles = st.builds(
    Profile,
    speaker_id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    name=names,
    identity=st.builds(Embedding.of, names, vectors, st.just(256)),
    style=st.builds(Embedding.of, names, vectors, st.just(64)),
    created_at=moments,
    default_params=st.builds(DefaultParams, names, st.floats(0.5, 2), st.floats(-12, 12)),
    synthesis_model=st.text(max_size=200),
    phone_numbers=st.lists(st.from_regex(r"[0-9]{1,20}", fullmatch=True), max_size=16).map(tuple),
    consent=st.none() | consents,
    quality=st.none()
    | st.builds(Quality, st.floats(0, 600), st.floats(-20, 90), st.floats(0, 1), st.floats(0, 48_000)),
)


@settings(deadline=None)
@given(profiles)
def test_a_profile_survives_storage(one):
    assert decode(encode(one), "it") == one


@settings(deadline=None)
@given(arrays)
def test_an_array_keeps_its_numbers_and_shape(array):
    assert Array.of(array.numbers()) == array


def test_a_half_precision_array_takes_half_the_bytes():
    latents = np.linspace(-4, 4, 32 * 1024).reshape(32, 1024)
    half = Array.of(latents, "<f2")
    assert len(half.data) * 2 == len(Array.of(latents).data)
    np.testing.assert_allclose(half.numbers(), latents, atol=2e-3)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_profile_or_a_sentence(content):
    with pytest.raises(VoiceDamaged):
        decode(content, "it")


@settings(deadline=None)
@given(st.data())
def test_a_changed_profile_is_a_profile_or_a_sentence(data):
    content = bytearray(encode(profile(synthesis=(cluster(),))))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, min(len(content) - 1, 3000)))] = data.draw(st.integers(0, 255))
    with suppress(VoiceDamaged):
        assert isinstance(decode(bytes(content), "it"), Profile)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"speaker_id": "../etc/passwd"},
        {"speaker_id": "v-1\n"},
        {"phone_numbers": ("1",) * 17},
        {"phone_numbers": ("0x1",)},
        {"created_at": NOW.replace(tzinfo=None)},
        {"default_params": DefaultParams(speed=9)},
        {"version": 7},
        {"synthesis": (cluster(),) * (MAX_CLUSTERS + 1)},
        {"consent": Consent(by="a", at=NOW, wording="w", recording=bytes(MAX_BYTES))},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_bounds_are_kept_before_anything_is_stored(fields):
    with pytest.raises((ValueError, msgspec.ValidationError)):
        encode(profile(**fields))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Array.of([np.nan]),
        lambda: Array.of([1e6], "<f2"),  # too great for half precision
        lambda: Array.of(np.zeros(MAX_BYTES)),
        lambda: Array("<f4", (2,), b"1234"),
        lambda: Embedding.of("m", np.zeros(257), IDENTITY_SLOT),
        lambda: Embedding.of("m", np.zeros((2, 2)), IDENTITY_SLOT),
        lambda: profile(identity=Embedding.of("m", np.zeros(64), 64)),
    ],
)
def test_what_is_no_vector_is_refused(make):
    with pytest.raises(ValueError):  # noqa: PT011
        stored(make())


def stored(one: Array | Embedding | Profile) -> Array | Embedding | Profile:
    """Bounds hold at the latest when a value comes back from storage."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=type(one))


def test_cosines_are_those_of_the_true_vectors():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 192))
    mine, theirs = (Embedding.of("ecapa-tdnn", numbers, IDENTITY_SLOT) for numbers in (a, b))
    assert mine.vector.shape == (256,)
    assert mine.width == 192
    assert mine.cosine(theirs) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
    with pytest.raises(ValueError, match="cannot be compared"):
        mine.cosine(Embedding.of("resemblyzer", a, IDENTITY_SLOT))


def test_an_embedding_is_named_by_its_content():
    one, same, other = (Embedding.of("m", numbers, 64) for numbers in ([1, 2], [1, 2], [1, 3]))
    assert one.embedding_ref == same.embedding_ref != other.embedding_ref


def test_a_profile_of_version_1_is_read_and_may_not_be_used_yet():
    now = msgspec.to_builtins(profile(), builtin_types=(bytes,))
    old = {name: now[name] for name in ("speaker_id", "identity", "style", "default_params", "created_at")}
    read = decode(msgspec.msgpack.encode({**old, "version": 1}), "it")
    assert read == profile(name="v-1", consent=None)
    assert standing(read.consent, NOW) == "none"


def test_a_profile_of_a_newer_version_says_what_to_do():
    newer = {**msgspec.to_builtins(profile(), builtin_types=(bytes,)), "version": 3, "aura": "blue"}
    with pytest.raises(
        VoiceDamaged, match=r"^it was written by a newer Dragoman \(version 3\); update this one first$"
    ):
        decode(msgspec.msgpack.encode(newer), "it")


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        (None, "none"),
        (CONSENT, "given"),
        (msgspec.structs.replace(CONSENT, expires_at=NOW + timedelta(seconds=1)), "given"),
        (msgspec.structs.replace(CONSENT, expires_at=NOW), "expired"),
        (msgspec.structs.replace(CONSENT, withdrawn_at=NOW), "withdrawn"),
        (msgspec.structs.replace(CONSENT, withdrawn_at=NOW + timedelta(days=1)), "withdrawn"),  # a clock set back
    ],
)
def test_consent(consent, expected):
    assert standing(consent, NOW) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+55 11 99999-0000", "5511999990000"),
        ("005511999990000", "5511999990000"),
        ("(11) 99999.0000", "11999990000"),
        ("1001", "1001"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(number, expected):
    assert dialled(number) == expected


@pytest.mark.parametrize("number", ["", "+", "anonymous", "1" * 21, "١٢٣", "++1"])
def test_what_is_no_number(number):
    with pytest.raises(ValueError, match="is not a phone number"):
        dialled(number)


def test_an_utterance_gets_the_manner_of_speaking_nearest_to_it():
    calm, excited = cluster(-1.0), cluster(2.0)
    assert nearest((calm, excited), np.full(64, 1.0)) is excited
    assert profile(synthesis=(calm, excited)).cluster_for(np.zeros(64)) is calm
    assert profile().cluster_for(np.zeros(64)) is None


def test_ids_are_new_and_say_nothing():
    assert len({new_speaker_id() for _ in range(100)}) == 100
    assert encode(profile(new_speaker_id()))
