"""The store of voices: what is acknowledged stays, what is deleted is gone, what is damaged harms nobody else."""

import multiprocessing
import os
import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voice_samples import CONSENT, NOW, cluster, profile

from appliance.voices.errors import ConsentLacking, StoreUnusable, VoiceDamaged, VoiceError, VoiceMissing
from appliance.voices.key_slots import SLOT_BYTES
from appliance.voices.profile import Profile
from appliance.voices.sealing import KEY_BYTES
from appliance.voices.store import VoiceStore

ROOT = Path(__file__).parent.parent


@pytest.fixture
def place(tmp_path):
    return tmp_path / "voices", tmp_path / "box.key"


@pytest.fixture
def store(place):
    with VoiceStore(*place) as opened:
        yield opened


def named(name, **fields):
    return profile(f"v-{name.lower()}", name=name, **fields)


def elsewhere(code: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, with this folder's and the appliance's modules at hand."""
    return subprocess.run(
        [*options.pop("within", ()), sys.executable, "-c", code, *map(str, arguments)],  # type: ignore[misc]
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_voice_comes_back_as_it_was_stored(place, store):
    one = profile(synthesis=(cluster(), cluster(1.0)), phone_numbers=("5511999990000",))
    store.put(one)
    assert store.get("v-1") == one
    store.close()
    with VoiceStore(*place) as again:
        assert again.get("v-1") == one
        assert again.speaker_of("5511999990000") == "v-1"
        assert again.speaker_of("1") is None
        assert again.ids() == ["v-1"]


def test_what_is_not_there_is_said_so(store):
    for name in ("v-2", "", "../x", "x" * 600):
        with pytest.raises(VoiceMissing, match="there is no voice"):
            store.get(name)
    with pytest.raises(VoiceMissing):
        store.delete("v-2")


def test_nothing_on_the_disk_tells_who_it_is(place, store):
    store.put(named("Ana", phone_numbers=("5511999990000",), synthesis=(cluster(),)))
    on_disk = b"".join(path.read_bytes() for path in place[0].iterdir())
    for secret in (b"Ana", b"Souza", b"5511999990000", b"ecapa", cluster().latents.data[:32]):
        assert secret not in on_disk


def test_files_are_their_owners_alone(place, store):
    store.put(profile())
    for path in (*place[0].iterdir(), place[1]):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert place[0].stat().st_mode & 0o777 == 0o700


def test_a_deleted_voice_cannot_be_brought_back(place, store):
    store.put(profile(synthesis=(cluster(),)), named("Bruno"))
    slot = wrapped_key(place, 0)
    before = [(path, path.read_bytes()) for path in place[0].iterdir() if path.name == "data.mdb"]
    store.delete("v-1")
    store.close()
    assert slot not in b"".join(path.read_bytes() for path in place[0].iterdir())
    for path, content in before:  # as if the old database could be scraped from the disk
        path.write_bytes(content)
    with VoiceStore(*place) as again:
        with pytest.raises(VoiceDamaged):
            again.get("v-1")
        assert again.get("v-bruno").name == "Bruno"


def wrapped_key(place, slot):
    key = (place[0] / "keys").read_bytes()[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES].rstrip(b"\0")
    assert len(key) > KEY_BYTES
    return key


def test_a_changed_voice_leaves_no_key_of_its_old_self(place, store):
    store.put(profile())
    old = wrapped_key(place, 0)
    store.edit("v-1", lambda one: msgspec.structs.replace(one, name="Ana Maria"))
    assert store.get("v-1").name == "Ana Maria"
    assert old not in (place[0] / "keys").read_bytes()


def test_slots_of_deleted_voices_are_used_again(place, store):
    for _ in range(20):
        store.put(profile())
        store.delete("v-1")
    assert (place[0] / "keys").stat().st_size <= 2 * SLOT_BYTES


def test_an_edit_that_fails_changes_nothing(store):
    store.put(profile())
    with pytest.raises(ZeroDivisionError):
        store.edit("v-1", lambda _: 1 // 0)
    assert store.get("v-1") == profile()


def test_a_number_selects_one_voice(store):
    store.put(named("Ana", phone_numbers=("1001", "1002")))
    with pytest.raises(VoiceError, match=r"^the phone number 1002 selects the voice v-ana already"):
        store.put(named("Bruno"), named("Carla", phone_numbers=("1002",)))
    assert store.ids() == ["v-ana"], "all or none"
    store.put(named("Ana", phone_numbers=("1001",)))
    store.put(named("Carla", phone_numbers=("1002",)))
    assert (store.speaker_of("1001"), store.speaker_of("1002")) == ("v-ana", "v-carla")
    store.delete("v-ana")
    assert store.speaker_of("1001") is None


@pytest.mark.parametrize(
    ("consent", "sentence"),
    [
        (None, "the voice of Ana has no consent on file"),
        (msgspec.structs.replace(CONSENT, expires_at=NOW), "the consent of Ana has expired"),
        (msgspec.structs.replace(CONSENT, withdrawn_at=NOW), "Ana has withdrawn consent"),
    ],
)
def test_without_consent_nobody_speaks_with_a_voice(store, consent, sentence):
    store.put(profile(consent=consent))
    with pytest.raises(ConsentLacking, match=sentence) as refused:
        store.for_synthesis("v-1", NOW)
    assert refused.value.reason == "consent"
    assert store.get("v-1").consent == consent, "whoever looks after the voices sees it all the same"


def test_consent_ends_while_the_voice_is_in_memory(store):
    store.put(profile(consent=msgspec.structs.replace(CONSENT, expires_at=NOW + timedelta(hours=1))))
    assert store.for_synthesis("v-1", NOW).name == "Ana"
    with pytest.raises(ConsentLacking):
        store.for_synthesis("v-1", NOW + timedelta(hours=1))


def test_only_those_used_last_stay_in_memory(place):
    with VoiceStore(*place, cached_voices=2) as store:
        store.put(*(profile(f"v-{number}") for number in range(3)))
        first = store.get("v-0")
        store.get("v-1")
        assert store.get("v-0") is first
        store.get("v-2")
        assert store.get("v-0") is first
        store.get("v-1")
        store.get("v-2")
        assert store.get("v-0") == first
        assert store.get("v-0") is not first


CHANGE = """
import sys
from pathlib import Path
from appliance.voices.store import VoiceStore
from voice_samples import profile
with VoiceStore(Path(sys.argv[1]), Path(sys.argv[2])) as store:
    {change}
"""


def test_what_another_process_changes_is_seen_at_once(place, store):
    store.put(profile(), named("Bruno"))
    before, bruno = store.get("v-1"), store.get("v-bruno")
    assert elsewhere(CHANGE.format(change='store.put(profile(name="Ana Maria"))'), *place).returncode == 0
    assert before.name == "Ana"
    assert store.get("v-1").name == "Ana Maria"
    assert store.get("v-bruno") is bruno, "unchanged: not read again"
    assert elsewhere(CHANGE.format(change='store.delete("v-1")'), *place).returncode == 0
    with pytest.raises(VoiceMissing):
        store.get("v-1")


def test_what_another_process_deletes_leaves_memory_without_being_asked_for(place, store):
    store.put(profile(), named("Bruno"))
    for name in ("v-1", "v-bruno"):
        store.get(name)
    assert elsewhere(CHANGE.format(change='store.delete("v-1")'), *place).returncode == 0
    store.refresh()
    assert list(store._cache.stamps()) == ["v-bruno"]


def test_nobody_else_gets_in(place, store):
    store.put(profile())
    code = "import os, voice_samples, appliance.voices.store; os.geteuid() or os.setuid(65534)\n"
    code += CHANGE.format(change="pass")
    if os.geteuid():
        place[0].chmod(0)
    answer = elsewhere(code, *place)
    place[0].chmod(0o700)
    assert "is closed to this user; run this as the user that the appliance runs as" in answer.stderr


def test_a_stopped_writer_holds_up_no_reader(place, store):
    store.put(profile())
    with store._environment.writing():
        answer = elsewhere(CHANGE.format(change='print(store.get("v-1").name)'), *place)
    assert answer.stdout == "Ana\n"


def test_readers_do_not_wait_for_a_writer(store):
    store.put(profile())
    with store._environment.writing() as txn:
        txn.put(b"voice v-1", b"half done")
        names = []
        reader = Thread(target=lambda: names.append(store.get("v-1").name))
        reader.start()
        reader.join(timeout=30)
        assert names == ["Ana"]
        txn.abort()


def _use(store):
    try:
        store.get("v-1")
    except StoreUnusable as error:
        os._exit(7 if "before a fork" in str(error) else 1)
    os._exit(0)


def test_a_store_does_not_cross_a_fork(store):
    store.put(profile())
    store.get("v-1")
    child = multiprocessing.get_context("fork").Process(target=_use, args=(store,))
    child.start()
    child.join(30)
    assert child.exitcode == 7
    assert store.get("v-1").name == "Ana"


def spoil(place, old: bytes, new: bytes) -> None:
    data = place[0] / "data.mdb"
    content = data.read_bytes()
    assert old in content
    data.write_bytes(content.replace(old, new))


def test_a_damaged_record_harms_only_itself(place, store):
    store.put(named("Ana", phone_numbers=("1001",)), named("Bruno"))
    with store._environment.reading() as txn:
        record = bytes(txn.get(b"voice v-ana"))
    store.close()
    spoil(place, record[40:80], bytes(40))
    with VoiceStore(*place) as again:
        with pytest.raises(VoiceDamaged, match=r"^the voice v-ana is damaged; delete it") as damaged:
            again.get("v-ana")
        assert damaged.value.reason == "damaged"
        assert [one.name if isinstance(one, Profile) else one.reason for one in again.survey()] == ["damaged", "Bruno"]
        with pytest.raises(VoiceDamaged):
            again.edit("v-ana", lambda one: one)
        again.delete("v-ana")
        assert again.speaker_of("1001") is None
        assert again.ids() == ["v-bruno"]


@pytest.mark.parametrize("length", [0, SLOT_BYTES + 10])
def test_lost_keys_harm_only_their_voices(place, store, length):
    store.put(named("Ana"), named("Bruno"))
    os.truncate(place[0] / "keys", length)
    with pytest.raises(VoiceDamaged):
        store.get("v-bruno")
    readable = [one.name for one in store.survey() if isinstance(one, Profile)]
    assert readable == (["Ana"] if length else [])
    store.put(named("Bruno"))
    assert store.get("v-bruno").name == "Bruno"


def test_a_record_under_another_name_is_refused(store):
    store.put(named("Ana"), named("Bruno"))
    with store._environment.writing() as txn:
        txn.put(b"voice v-bruno", bytes(txn.get(b"voice v-ana")))
    with pytest.raises(VoiceDamaged):
        store.get("v-bruno")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(record=st.binary(max_size=200))
def test_any_record_is_a_voice_or_a_sentence(store, record):
    store.put(named("Bruno"))
    with store._environment.writing() as txn:
        txn.put(b"voice v-x", record)
    with pytest.raises(VoiceDamaged):
        store.get("v-x")
    assert store.get("v-bruno").name == "Bruno"
    store.delete("v-x")


def test_a_database_cut_short_kills_nobody(place, store):
    store.put(*(profile(f"v-{number}", synthesis=(cluster(),)) for number in range(20)))
    store.close()
    data = place[0] / "data.mdb"
    os.truncate(data, data.stat().st_size * 7 // 10)
    # In a process of its own: reading beyond the end of a mapped file is SIGBUS.
    answer = elsewhere(CHANGE.format(change="print(*(type(one).__name__ for one in store.survey()))"), *place)
    assert answer.returncode == 0, answer.stderr
    assert set(answer.stdout.split()) == {"Profile", "VoiceDamaged"}


def test_a_voice_comes_from_the_disk_in_few_reads(place, store):
    store.put(*(profile(f"v-{number}", synthesis=(cluster(),) * 2) for number in range(20)))
    store.close()
    with (place[0] / "data.mdb").open("rb") as data:
        os.fsync(data.fileno())
        os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with VoiceStore(*place) as again:
        again.get("v-0")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        for number in range(1, 20):
            again.get(f"v-{number}")
        reads = resource.getrusage(resource.RUSAGE_SELF).ru_majflt - before
    assert reads / 19 < 10, "a voice has more than 30 pages"


def test_what_is_no_database_is_said_so(place):
    place[0].mkdir()
    (place[0] / "data.mdb").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreUnusable, match="is damaged"):
        VoiceStore(*place)


def test_a_key_is_made_once(place, store):
    key = place[1].read_bytes()
    store.put(profile())
    store.close()
    with VoiceStore(*place) as again:
        assert again.get("v-1").name == "Ana"
    assert place[1].read_bytes() == key
    assert len(key) == KEY_BYTES


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda key: key.unlink(), r"^the box's key .*box\.key is missing, and without it no voice can be read; bring"),
        (lambda key: key.chmod(0o644), r"^the box's key .* is open to other users; close it: chmod 600 .*box\.key$"),
        (lambda key: key.write_bytes(b"x" * 31), "is not 32 bytes long"),
        (lambda key: key.write_bytes(b"x" * 32), "is not the one of the voices in .*; bring the right one back"),
    ],
    ids=["missing", "open", "short", "another"],
)
def test_a_wrong_key_is_one_sentence_and_harms_nothing(place, store, harm, sentence):
    store.put(profile())
    store.close()
    key = place[1].read_bytes()
    harm(place[1])
    with pytest.raises(StoreUnusable, match=sentence):
        VoiceStore(*place)
    place[1].write_bytes(key)
    place[1].chmod(0o600)
    with VoiceStore(*place) as again:
        assert again.get("v-1").name == "Ana"


def fill(store):
    for number in range(100):
        store.put(profile(f"v-{number}", synthesis=(cluster(),)))


def test_a_full_map_refuses_and_keeps_what_there_is(place):
    with VoiceStore(*place, map_bytes=1 << 20) as store:
        with pytest.raises(StoreUnusable, match=r"is full \(1 MB\); delete voices that nobody needs$"):
            fill(store)
        stored = len(store.ids())
        assert 5 < stored < 100
        assert len([one for one in store.survey() if isinstance(one, Profile)]) == stored
        store.delete("v-0")
        store.put(profile("v-again"))
        assert store.get("v-again").name == "Ana"


IN_A_MOUNT = ("unshare", "--user", "--map-root-user", "--mount")
needs_mounts = pytest.mark.skipif(
    subprocess.run([*IN_A_MOUNT, "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine lets nobody make a mount of his own",
)
FILL_THE_DISK = """
import os, subprocess, sys
from pathlib import Path
from appliance.voices.errors import StoreUnusable
from appliance.voices.store import VoiceStore
from voice_samples import cluster, profile
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "none", str(disk)], check=True)
with VoiceStore(disk / "voices", disk / "key") as store:
    stored = 0
    try:
        while True:
            store.put(profile(f"v-{stored}", synthesis=(cluster(),)))
            stored += 1
    except StoreUnusable as error:
        print(error)
    assert stored > 5
    (disk / "rest").write_bytes(bytes(4096 * os.statvfs(disk).f_bavail))
    for number in range(stored):
        assert store.get(f"v-{number}").name == "Ana"
    (disk / "rest").unlink()
    store.delete("v-0")
    store.put(profile("v-again"))
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
with VoiceStore(disk / "voices", disk / "key") as store:
    assert store.get("v-again").name == "Ana"
    for change in (lambda: store.put(profile("v-2")), lambda: store.delete("v-again")):
        try:
            change()
        except StoreUnusable as error:
            print(error)
try:
    VoiceStore(disk / "elsewhere", disk / "key")
except StoreUnusable as error:
    print(error)
"""


@needs_mounts
def test_a_full_and_a_read_only_disk_refuse_and_go_on_reading(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    answer = elsewhere(FILL_THE_DISK, disk, within=IN_A_MOUNT)
    assert answer.stderr == ""
    folder = f"the store of voices {disk}"
    assert answer.stdout.splitlines() == [
        f"{folder}/voices has no space left on its disk; free some (df -h {disk}/voices), then try again",
        f"{folder}/voices cannot be written: its disk is read-only",
        f"{folder}/voices cannot be written: its disk is read-only",
        f"{folder}/elsewhere cannot be written: its disk is read-only",
    ]
