"""The soundbanks that the tests share."""

from pathlib import Path

import pytest

from tests.data.synth.tones import RATE, SPLITS, write_bank
from wsed.data.synth.soundbank import Soundbank, open_soundbank


@pytest.fixture(scope="session")
def bank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bank")
    write_bank(root)
    return root


@pytest.fixture(scope="session")
def bank(bank_folder: Path) -> Soundbank:
    return open_soundbank(bank_folder, SPLITS, RATE)


@pytest.fixture(scope="session")
def real(shared: Path) -> Soundbank:
    return open_soundbank(shared / "data/soundbank")
