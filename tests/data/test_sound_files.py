"""Facts about sound files that are cheap to read."""

import pytest

from wsed.data.sound_files import fingerprint


@pytest.mark.parametrize("place", [0, 50_000, 99_999])
def test_the_fingerprint_tells_other_files(tmp_path, place):
    content = bytearray(100_000)
    (tmp_path / "a.wav").write_bytes(content)
    content[place] = 1
    (tmp_path / "b.wav").write_bytes(content)
    (tmp_path / "c.wav").write_bytes(content[:-1])
    prints = [fingerprint(tmp_path / f"{name}.wav") for name in "abc"]
    assert len(set(prints)) == 3
    assert [text.split(",")[0] for text in prints] == ["100000 bytes", "100000 bytes", "99999 bytes"]
    assert fingerprint(tmp_path / "b.wav") == prints[1]
