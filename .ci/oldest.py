"""Prints the least versions that pyproject.toml allows, as constraints for pip: `make test-oldest` installs these."""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

for requirement in PROJECT["dependencies"]:
    name, bound = re.match(r"([\w-]+)(?:\[[^]]*\])?.*?>=([\w.]+)", requirement).groups()
    print(f"{name}=={bound}")
