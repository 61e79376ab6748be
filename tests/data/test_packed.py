"""Packed audio: the samples of the files, from a few large files."""

import copy
import json
import os
import pickle
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile
import yaml

import wsed
from tests.cli.test_resume import SMALL
from tests.conftest import make_corpus
from tests.distributed.ranks import free_port
from wsed.cli.main import main
from wsed.data import audio
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.audioset import AudioSet
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.example_files import write_tones
from wsed.data.corpus.videos.clips import VideoClips
from wsed.data.module import SEDDataModule
from wsed.data.packed.index import Index
from wsed.data.packed.pack import damaged, pack
from wsed.data.reading.files import Files
from wsed.data.reading.packed import Packed
from wsed.data.sound_files import sound_files
from wsed.errors import WsedError
from wsed.registry import registry
from wsed.types import Labels

SPLITS = ("train", "validation", "test", "predict")


@pytest.fixture
def sounds(tmp_path):
    """Eight files of one second, one stereo and one at another rate."""
    root = make_corpus(tmp_path / "corpus", clips=2)
    rng = np.random.default_rng(0)
    soundfile.write(root / "audio/stereo.wav", 0.1 * rng.standard_normal((4000, 2)), 8000)
    soundfile.write(root / "audio/other.flac", 0.1 * rng.standard_normal(8000), 16000)
    return root


def table(root, **window):
    files = sorted((root / "audio").rglob("*.*"))
    return ClipTable.of([Clip(path.name, path, "weak", **window) for path in files], Labels(["Dog"]))


@pytest.mark.parametrize("window", [{}, {"start": 0.25, "duration": 0.125}])
def test_samples_are_those_of_the_files(sounds, tmp_path, window):
    result = pack(sounds / "audio", tmp_path / "pack", 8000, shard_mb=0.03, workers=1)
    assert len(np.unique(result.index.shard)) > 2
    assert (len(result.index), result.rounded, result.refused) == (8, 2, ())
    clips = table(sounds, **window)
    packed, files = (reader.open(clips, 8000) for reader in (Packed(tmp_path / "pack"), Files()))
    for i in range(len(clips.clips)):
        one, other = packed[i], files[i]
        exact = clips.clips[i].path.suffix == ".wav" and clips.clips[i].path.stem != "stereo"
        if exact:
            np.testing.assert_array_equal(one.audio, other.audio)
        elif not window:  # a part that is resampled by itself differs at its ends
            np.testing.assert_allclose(one.audio, other.audio, atol=0.5 / 32768)
        assert one.n_samples == other.n_samples
    assert Packed(tmp_path / "pack").headers(clips.clips).seconds == pytest.approx(Files().headers(clips.clips).seconds)


def test_a_part_after_the_end_of_its_file_is_refused(sounds, tmp_path):
    """The reader `files` refuses it too. It is refused before training; earlier versions read a clip of no samples."""
    pack(sounds / "audio", tmp_path / "pack", 8000, workers=1)
    clips = table(sounds, start=1.5, duration=1.0)
    with pytest.raises(WsedError, match=r"holds no samples after 1.5 s"):
        Files().open(clips, 8000)[0]
    with pytest.raises(WsedError, match=r"holds no samples after 1.5 s \(clip .*, and \d more; `wsed data check`"):
        Packed(tmp_path / "pack").open(clips, 8000)


def test_several_processes_pack_as_one(sounds, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    result, other = (pack(sounds / "audio", out, 8000, shard_mb=0.03, workers=n) for out, n in ((one, 1), (two, 2)))
    shards = sorted(path.name for path in one.glob("shard_*.i16"))
    assert len(shards) > 2
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())
    for name in [*shards, "pack.json", "plan.txt"]:
        assert (one / name).read_bytes() == (two / name).read_bytes()
    for column, values in vars(Index.read(one / "index.npz")).items():  # the checksums too
        np.testing.assert_array_equal(vars(Index.read(two / "index.npz"))[column], values)
    assert (other.rounded, other.clipped, other.refused) == (result.rounded, result.clipped, result.refused)
    assert damaged(two) == []


def test_a_pack_that_was_stopped_goes_on(sounds, tmp_path, monkeypatch):
    out, read, calls = tmp_path / "pack", audio.read, []

    def stops(path, rate):
        calls.append(path)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return read(path, rate)

    monkeypatch.setattr(audio, "read", stops)
    with pytest.raises(KeyboardInterrupt):
        pack(sounds / "audio", out, 8000, shard_mb=0.03, workers=1)
    with pytest.raises(WsedError, match="holds no packed audio; make it: wsed data pack"):
        Packed(out).open(table(sounds), 8000)
    pack(sounds / "audio", out, 8000, shard_mb=0.03, workers=1)
    assert len(calls) < 5 + 8
    assert not list(out.glob(".*.part*"))
    assert damaged(out) == []


def test_a_damaged_shard_is_named_and_written_again(sounds, tmp_path, capsys):
    out = tmp_path / "pack"
    command = ["data", "pack", str(sounds / "audio"), str(out), "--sample-rate", "8000", "--workers", "1"]
    assert main([*command, "--shard-mb", "0.03"]) == 0
    assert "8 files, 0.00 h at 8000 Hz" in capsys.readouterr().out
    shard = out / "shard_00001.i16"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    assert main(["data", "pack", "--verify", str(out)]) == 1
    assert "shard_00001.i16 is damaged: remove it and pack again" in capsys.readouterr().out
    clips = table(sounds)
    dataset = Packed(out).open(clips, 8000)
    with pytest.raises(WsedError, match=r"shard_00001\.i16 is damaged, or of another pack"):
        [dataset[i] for i in range(len(clips.clips))]
    shard.unlink()
    assert main([*command, "--shard-mb", "0.03"]) == 0
    assert main(["data", "pack", "--verify", str(out)]) == 0


def test_files_that_cannot_be_read_are_left_out(sounds, tmp_path, capsys):
    (sounds / "audio/broken.wav").write_bytes(b"RIFF")
    command = ["data", "pack", str(sounds / "audio"), str(tmp_path / "pack"), "--sample-rate", "8000"]
    assert main([*command, "--workers", "1"]) == 1
    out = capsys.readouterr().out
    assert "left out: " in out
    assert "broken.wav" in out
    clips = table(sounds).clips
    ((number, reason),) = Packed(tmp_path / "pack").headers(clips).unreadable.items()
    assert clips[number].path.name == "broken.wav"
    assert "broken.wav is not in the pack" in reason


def test_mistakes_are_named(sounds, tmp_path):
    out = tmp_path / "pack"
    with pytest.raises(WsedError, match="no sound file in"):
        pack(tmp_path / "nothing", out, 8000)
    pack(sounds / "audio", out, 8000, workers=1)
    with pytest.raises(WsedError, match="holds a pack of other files, another rate"):
        pack(sounds / "audio", out, 16000, workers=1)
    with pytest.raises(
        WsedError, match=r"packed at 8000 Hz, but the network takes 16000 Hz: run wsed data pack .* 16000"
    ):
        Packed(out).open(table(sounds), 16000)
    elsewhere = table(sounds.rename(tmp_path / "moved"))
    with pytest.raises(WsedError, match=r"is not in the pack .*set data\.reader\.root"):
        Packed(out).open(elsewhere, 8000)
    assert len(Packed(out, tmp_path / "moved/audio").open(elsewhere, 8000)) == 8
    pack(tmp_path / "moved/audio", out, 16000, workers=1, overwrite=True)
    (out / "index.npz").write_bytes(b"PK")
    with pytest.raises(WsedError, match=r"cannot read .*index\.npz"):
        Packed(out).headers([])


def test_the_index_takes_32_bytes_per_file():
    index = Index.of([(f"{i}.wav", 0, 0, 0, 0) for i in range(10)])
    assert sum(column.nbytes for column in vars(index).values()) == 10 * 32


def on_store(sounds, folder):
    """The address of a pack in fsspec's store in memory."""
    pack(sounds / "audio", folder, 8000, shard_mb=0.03, workers=1)
    store = fsspec.filesystem("memory")
    address = f"memory://{folder.parent.name}/pack"
    store.put(f"{folder}/", address, recursive=True)
    return address


def test_a_pack_on_a_store_is_fetched_once(sounds, tmp_path, monkeypatch):
    address, clips, cache = on_store(sounds, tmp_path / "pack"), table(sounds), tmp_path / "cache"
    local = Packed(tmp_path / "pack").open(clips, 8000)
    dataset = Packed(address, cache=cache).open(clips, 8000)
    assert not list(cache.rglob("*.i16"))  # none before its first clip is read
    fails = iter([TimeoutError("slow"), OSError("reset")])
    real = fsspec.open

    def flaky(*args):
        if (error := next(fails, None)) is not None:
            raise error
        return real(*args)

    monkeypatch.setattr(fsspec, "open", flaky)
    monkeypatch.setattr("wsed.data.packed.store.PAUSE", 0)
    for i in range(len(clips.clips)):
        np.testing.assert_array_equal(dataset[i].audio, local[i].audio)
    assert len(list(cache.rglob("*.i16"))) == len(list((tmp_path / "pack").glob("*.i16")))
    monkeypatch.setattr(fsspec, "open", lambda *_: pytest.fail("fetched again"))
    copy = pickle.loads(pickle.dumps(dataset))  # as in a reading process
    np.testing.assert_array_equal(copy[0].audio, local[0].audio)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError("slow"), "pack.json: the store failed 5 times, the last time with TimeoutError: slow"),
        (FileNotFoundError(), "pack.json is not there: upload the whole folder"),
        (ImportError("Install s3fs to access S3"), "pack.json: Install s3fs to access S3"),
    ],
)
def test_a_store_that_fails_is_named(tmp_path, monkeypatch, error, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(fsspec, "open", fail)
    monkeypatch.setattr("wsed.data.packed.store.PAUSE", 0)
    with pytest.raises(WsedError, match=said):
        Packed("s3://sounds/pack", cache=tmp_path).headers([])


@pytest.fixture
def server():
    """A web server that answers with the status of its attribute, or not at all; it counts the files it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            if self.server.status is None:
                self.server.over.wait(10)
            else:
                self.send_error(self.server.status)

        def do_HEAD(self):  # fsspec asks for each file twice, first so
            self.send_error(405)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.status, server.over = 0, None, threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "tries", "said"),
    [
        (404, 1, "pack.json is not there: upload the whole folder"),
        (503, 5, "pack.json: the store failed 5 times, the last time with ClientResponseError: 503"),
        (None, 5, "pack.json: the store failed 5 times, the last time with SocketTimeoutError"),
    ],
)
def test_a_web_server_that_fails_is_asked_again(server, tmp_path, monkeypatch, status, tries, said):
    pytest.importorskip("aiohttp", reason="fsspec needs it for http")
    monkeypatch.setattr("wsed.data.packed.store.PAUSE", 0)
    monkeypatch.setattr("wsed.data.packed.store.LIMIT", 0.5, raising=False)
    server.status = status
    with pytest.raises(WsedError, match=said):
        Packed(f"http://127.0.0.1:{server.server_port}/pack", cache=tmp_path).headers([])
    assert server.asked == tries


def test_a_web_server_that_is_not_there_is_named(tmp_path, monkeypatch):
    pytest.importorskip("aiohttp", reason="fsspec needs it for http")
    monkeypatch.setattr("wsed.data.packed.store.PAUSE", 0)
    with pytest.raises(WsedError, match="failed 5 times, the last time with ClientConnectorError: Cannot connect"):
        Packed(f"http://127.0.0.1:{free_port()}/pack", cache=tmp_path).headers([])


def test_a_cache_of_an_earlier_pack_is_refused(sounds, tmp_path):
    address, clips = on_store(sounds, tmp_path / "pack"), table(sounds)
    Packed(address, cache=tmp_path / "cache").open(clips, 8000)
    fsspec.filesystem("memory").pipe(f"{address}/pack.json", b"{}")
    with pytest.raises(WsedError, match=r"holds files of an earlier pack of memory://.* remove that folder"):
        Packed(address, cache=tmp_path / "cache").open(clips, 8000)


def test_a_pack_stands_for_the_folder_that_was_packed(tmp_path, capsys):
    source, out, moved = tmp_path / "source", tmp_path / "pack", tmp_path / "elsewhere"
    make_corpus(source, clips=3)
    (source / "metadata/train/unlabel_in_domain.tsv").write_text("filename\nnew_0.wav\n")
    write_tones(source / "audio/train/unlabel_in_domain", ["new_0.wav"])
    (source / ".git").mkdir()
    (source / ".git/notes.txt").write_text("no labels")
    (source / "features.npz").write_bytes(b"PK\0")
    (source / "metadata/damaged.mp3").write_bytes(b"without a zero")
    (source / "metadata/loop").symlink_to(source)
    (source / "metadata/old.tsv").symlink_to("nowhere")
    settings = {"batch": {"weak": 1, "unlabelled": 1}, "sample_rate": 8000, "workers": 0, "duration": None}

    def tables(corpus, reader):
        data = SEDDataModule(DESED(corpus), reader=reader, **settings)
        data.setup()
        return {split: data.table(split) for split in ("train", "validation", "test")}

    before = tables(source, Files())
    assert main(["data", "pack", str(source), str(out), "--sample-rate", "8000"]) == 1  # a damaged file is left out
    assert "5 text files copied into" in capsys.readouterr().out.replace("\n", " ")
    assert sorted(path.name for path in (out / "corpus").iterdir()) == [".packed", "audio", "metadata"]
    shutil.rmtree(source)
    out.rename(moved)
    for reader in (Packed(moved), Files()):
        after = tables(moved / "corpus", reader)
        for split, table in before.items():
            assert [clip.id for clip in after[split].clips] == [clip.id for clip in table.clips]
            assert after[split].labels.values.tolist() == table.labels.values.tolist()
            assert len(reader.open(after[split], 8000)[0].audio) == 8000
    assert main(["data", "check", str(moved / "corpus")]) == 0
    assert main(["data", "pack", "--verify", str(moved)]) == 0
    with (moved / "corpus/metadata/train/weak.tsv").open("a") as file:
        file.write("train_0.wav\thigh\n")
    capsys.readouterr()
    assert main(["data", "pack", "--verify", str(moved)]) == 1
    said = capsys.readouterr().out
    assert "elsewhere/corpus/metadata/train/weak.tsv differs from what was packed: pack again" in said
    (moved / "corpus/metadata/train/weak.tsv").unlink()
    assert main(["data", "pack", "--verify", str(moved)]) == 1
    assert "elsewhere/corpus/metadata/train/weak.tsv is missing: pack again" in capsys.readouterr().out
    assert main(["data", "check", str(moved)]) == 2
    assert f"{moved} is a pack; give the folder of its labels and sounds: {moved / 'corpus'}" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["renamed", "none", "twice", "removed"])
def test_a_list_of_other_sounds_is_found(sounds, tmp_path, capsys, fault):
    out = tmp_path / "pack"
    command = ["data", "pack", str(sounds), str(out), "--sample-rate", "8000", "--workers", "1"]
    assert main(command) == 0
    file = out / "contents.json"
    content = json.loads(file.read_text())
    names = content["sounds"]
    other = {"renamed": [*names[1:], "other.wav"], "none": [], "twice": [*names, names[0]], "removed": names}
    file.write_text(json.dumps(content | {"sounds": other[fault]}))
    if fault == "removed":
        file.unlink()
        with pytest.raises(WsedError, match="is a pack; give the folder"):
            DESED(out).clips("train")
    assert main(["data", "pack", "--verify", str(out)]) == 1
    said = "is missing: pack again" if fault == "removed" else "is damaged: remove it and pack again"
    assert f"contents.json {said}" in capsys.readouterr().out
    file.unlink(missing_ok=True)
    assert main(command) == 0
    assert damaged(out) == []


def test_labels_follow_the_folder_when_it_is_packed_again(sounds, tmp_path):
    out = tmp_path / "pack"
    tags = sounds / "metadata/train/weak.tsv"
    (sounds / "labels").symlink_to("metadata")
    pack(sounds, out, 8000, workers=1)
    for folder in ("metadata", "labels"):
        assert (out / "corpus" / folder / "train/weak.tsv").read_text() == tags.read_text()
    tags.rename(tags.with_name("tags.tsv"))
    (out / "contents.json").write_text("damaged")
    pack(sounds, out, 8000, workers=1)
    assert sorted(path.name for path in (out / "corpus/metadata/train").iterdir()) == ["strong.tsv", "tags.tsv"]


def test_packing_removes_nothing_of_the_users(sounds, tmp_path):
    out = tmp_path / "pack"
    pack(sounds / "audio", out, 8000, workers=1)
    (out / "corpus/mine.txt").write_text("mine")
    for folder in ("corpus", "corpus/train"):  # the packed sounds are the only ones
        with pytest.raises(WsedError, match=r"has the packed sounds of .*pack itself"):
            pack(out / folder, out, 4000, workers=1, overwrite=True)
    (sounds / "packed").symlink_to(tmp_path)  # leads to the pack, and around the folder itself
    (sounds / "audio/gone.wav").symlink_to("nowhere")
    (sounds / "tags.csv").write_bytes("file,tag".encode("utf-16"))
    result = pack(sounds, out, 8000, workers=1, overwrite=True)
    assert "no such file" in result.refused[0]
    assert (out / "corpus/mine.txt").read_text() == "mine"
    assert (out / "corpus/tags.csv").is_file()
    assert not (out / "corpus/packed").exists()
    (tmp_path / "other/corpus").mkdir(parents=True)
    (tmp_path / "other/plan.txt").write_text("of an earlier version")
    with pytest.raises(WsedError, match="corpus exists, but not as part of a pack"):
        pack(sounds, tmp_path / "other", 8000, workers=1, overwrite=True)
    assert (tmp_path / "other/corpus").is_dir()


def test_a_pack_within_the_folder_is_not_a_second_corpus(sounds):
    result = pack(sounds, sounds / "packed", 8000, workers=1)
    assert not (sounds / "packed/corpus").exists()
    assert len(pack(sounds, sounds / "packed", 8000, workers=1).index) == len(result.index)


def test_a_packed_sound_is_read_as_if_its_file_were_there(sounds, tmp_path):
    pack(sounds, tmp_path / "pack", 8000, workers=1)
    root = tmp_path / "pack/corpus"
    for name in ("audio/train/weak/train_0.wav", "audio/other.flac"):
        assert audio.info(root / name) == audio.AudioInfo(8000 if "weak" in name else 4000, 8000, 1)
        part = (0.125, 0.25) if "weak" in name else ()  # a part that is resampled by itself differs at its ends
        found, wanted = (audio.read(where / name, 8000, *part) for where in (root, sounds))
        np.testing.assert_allclose(found, wanted, atol=0 if part else 0.5 / 32768)
        assert audio.read(root / name, 16000).size == 2 * audio.info(root / name).n_samples
    with pytest.raises(WsedError, match=r"no such file: .*corpus/audio/none.wav"):
        audio.read(root / "audio/none.wav", 8000)
    assert [p.relative_to(root) for p in sound_files(root)] == [p.relative_to(sounds) for p in sound_files(sounds)]
    again = pack(root, tmp_path / "again", 8000, workers=1)
    assert sorted(again.index.checksum) == sorted(Index.read(tmp_path / "pack/index.npz").checksum)
    (tmp_path / "link").symlink_to(root)
    clips = [Clip("a", tmp_path / "link/audio/other.flac", "weak")]
    assert Packed(tmp_path / "pack").headers(clips).unreadable == {}
    shard = tmp_path / "pack/shard_00000.i16"
    shard.write_bytes(b"\1" * shard.stat().st_size)
    with pytest.raises(WsedError, match="shard_00000"):
        audio.read(root / "audio/other.flac", 8000)


def test_a_link_outside_the_packed_folder_is_not_taken_for_a_packed_file_of_its_name(sounds, tmp_path, monkeypatch):
    out, names = tmp_path / "pack", sorted(path.relative_to(sounds) for path in sounds.rglob("*.wav"))
    assert main(["data", "pack", str(sounds), str(out), "--sample-rate", "8000"]) == 0
    lengths = [soundfile.info(sounds / name).frames for name in names]
    other = next(i for i, length in enumerate(lengths) if length != lengths[0])
    link = tmp_path / "mine" / names[0]
    link.parent.mkdir(parents=True)
    link.symlink_to(sounds / names[other])
    monkeypatch.chdir(tmp_path / "mine")
    (found,) = Packed(out).headers([Clip("a.wav", names[0], "weak")]).seconds
    assert round(8000 * found) == lengths[other]


def test_a_pack_of_another_corpus_with_the_same_names_is_refused(sounds, tmp_path):
    out = tmp_path / "pack"
    pack(sounds, out, 8000, workers=1)
    path = sounds / "audio/train/weak/train_0.wav"
    clips = [Clip("a.wav", path, "weak")]
    reader = Packed(out)
    assert reader.headers(clips).seconds.tolist() == [1.0]
    (said,) = reader.prints(clips)
    assert said.startswith("8000 samples, checksum ")
    sound = bytearray(path.read_bytes())
    sound[-1] ^= 1
    path.write_bytes(sound)  # another sound of the same size
    what = "train_0.wav is not the file that .*pack has packed under this name: run `wsed data pack` again with --overw"
    with pytest.raises(WsedError, match=what):
        reader.open(ClipTable.of(clips, Labels(["Dog"])), 8000)
    assert reader.headers([Clip("a.wav", out / "corpus/audio/train/weak/train_0.wav", "weak")]).unreadable == {}
    with pytest.raises(WsedError, match="holds a pack of other files"):
        pack(sounds, out, 8000, workers=1)
    pack(sounds, out, 8000, workers=1, overwrite=True)
    assert reader.prints(clips) != [said]
    path.unlink()
    assert reader.headers(clips).seconds.tolist() == [1.0]


def test_a_pack_of_an_earlier_version_is_read_and_packed_again_as_before(sounds, tmp_path):
    out = tmp_path / "pack"
    before = pack(sounds, out, 8000, workers=1)
    facts = json.loads((out / "pack.json").read_text())
    assert facts.pop("prints")
    (out / "pack.json").write_text(json.dumps(facts))
    (out / "plan.txt").write_text((out / "plan.txt").read_text().split()[0])
    assert len(Packed(out).prints(table(sounds).clips)) == len(before.index)
    pack(sounds, out, 8000, workers=1)
    assert "prints" in json.loads((out / "pack.json").read_text())


def test_the_sounds_of_a_pack_of_an_earlier_version_are_not_certified(sounds, tmp_path):
    """It has no fingerprints, so other sounds with the same names and sizes could be in its shards."""
    out = tmp_path / "packed"
    pack(sounds, out, 8000, workers=1)
    (out / "plan.txt").write_text((out / "plan.txt").read_text().split()[0])
    for path in sound_files(sounds):
        path.write_bytes(path.read_bytes()[:-2] + b"\x01\x02")
    before = {path.name: path.read_bytes() for path in out.glob("shard_*")}
    for _ in range(2):
        pack(sounds, out, 8000, workers=1)
        assert {path.name: path.read_bytes() for path in out.glob("shard_*")} == before
        assert json.loads((out / "pack.json").read_text())["prints"] == {}
    pack(sounds, out, 8000, workers=1, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.glob("shard_*")} != before
    assert json.loads((out / "pack.json").read_text())["prints"]


def test_packed_sounds_are_found_through_links(sounds, tmp_path, monkeypatch):
    pack(sounds, tmp_path / "pack", 8000, workers=1)
    (tmp_path / "folder").symlink_to(sounds / "audio")
    (tmp_path / "mine/below").mkdir(parents=True)
    (tmp_path / "mine/below/one.flac").symlink_to(tmp_path / "folder/other.flac")
    (sounds / "audio/new.flac").symlink_to("other.flac")  # since it was packed
    monkeypatch.chdir(tmp_path / "mine")
    names = ("../folder/other.flac", "below/one.flac", "below/../../folder/new.flac", "audio/other.flac")
    clips = [Clip(name, Path(name), "weak") for name in names]  # the last one is as in the pack, but not here
    headers = Packed(tmp_path / "pack").headers(clips)
    assert (headers.seconds.tolist(), headers.unreadable) == ([0.5] * 4, {})
    gone = Clip("gone", Path("below/gone.flac"), "weak")
    assert [*Packed(tmp_path / "pack").headers([*clips, gone]).unreadable] == [4]


def test_clips_in_columns_are_looked_up_without_an_object_or_a_system_call_for_each(tmp_path, monkeypatch):
    root, real, resolved, asked = tmp_path / "corpus", os.path.realpath, [], []
    AudioSet.example(root)
    pack(root, tmp_path / "pack", 8000, workers=1)
    (tmp_path / "link").symlink_to(root)
    corpus = AudioSet(tmp_path / "link")
    few = corpus.clips("train")
    assert [Path(path) for path in few.all_paths()] == [few.path(i) for i in range(len(few))]
    clips = few.take(np.arange(len(few)).repeat(100))
    listed = clips.table(corpus.labels, 0.5)
    path = VideoClips.path
    monkeypatch.setattr(VideoClips, "path", lambda self, i: (asked.append(i), path(self, i))[1])
    monkeypatch.setattr(os.path, "islink", lambda _: pytest.fail("a file is looked at"))
    monkeypatch.setattr(os.path, "realpath", lambda path, **how: (resolved.append(str(path)), real(path, **how))[1])
    reader = Packed(tmp_path / "pack")
    assert reader.headers(clips).seconds.tolist() == [1.0] * 600
    dataset = reader.open(listed, 8000)
    assert len(asked) < 60  # checks of types ask for a clip here and there
    assert len(dataset[599].audio) == 4000
    assert not [path for path in resolved if path.endswith(".wav")]
    assert sum("link" in path for path in resolved) == 2  # the only folder, in `headers` and in `open`


@pytest.mark.parametrize("kind", wsed.components("corpus"))
def test_each_kind_of_corpus_is_read_from_a_pack(kind, tmp_path):
    """The pack takes the place of the folder, without its sound files."""
    root, out = tmp_path / "corpus", tmp_path / "pack"
    corpus = registry("corpus")[kind].example(root)
    again = copy.deepcopy(corpus)  # has read nothing yet
    before = {split: list(corpus.clips(split)) for split in SPLITS if corpus.has(split)}
    pack(root, out, 8000, workers=1)
    shutil.rmtree(root)
    root.symlink_to(out / "corpus")
    for split, clips in before.items():
        after = list(again.clips(split))
        assert [(c.id, c.path, c.tags, c.events) for c in after] == [(c.id, c.path, c.tags, c.events) for c in clips]
        read = Packed(out).open(ClipTable.of(after, again.labels), 8000)
        assert all(len(read[i].audio) for i in range(len(after)))


def test_a_training_without_sound_files_is_tested_and_its_detector_reads_packed_sounds(sounds, tmp_path):
    out, run = tmp_path / "pack", tmp_path / "run"
    pack(sounds, out, 8000, workers=1)
    for path in sound_files(sounds):
        path.unlink()
    config = yaml.safe_load(yaml.safe_dump(SMALL))
    config["data"]["corpus"]["init_args"]["root"] = str(sounds)
    config["data"]["reader"] = {"class_path": "packed", "init_args": {"folder": str(out)}}
    config["trainer"] |= {"max_epochs": 1, "default_root_dir": str(run)}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(tmp_path / "exp.yaml")]) == 0
    assert (run / "test/scores.json").is_file()
    assert not (run / "test/curves.png").exists()  # the sound of a clip is needed
    assert main(["detect", str(run), str(out / "corpus/audio/eval"), "--out", str(tmp_path / "found")]) == 0
    root = ["--data.corpus.root", str(out / "corpus")]
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", "best", *root]) == 0
    assert (run / "test/curves.png").is_file()
