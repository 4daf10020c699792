"""Types: mypy --strict of the package, of every example of the guide and of the page; the stub against the module."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import guide_names
import pacemark
from test_docs import SWEEP, blocks
from test_guide import BLOCKS, number

pytestmark = pytest.mark.skipif(find_spec("mypy") is None, reason="there is no mypy")


def python(*arguments: str, cwd: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed(tmp_path: Path) -> None:
    assert Path(pacemark.__file__).with_name("py.typed").is_file()
    python("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "-p", "pacemark", cwd=tmp_path)


def test_the_examples_are_typed(tmp_path: Path) -> None:
    for block in BLOCKS:
        text = guide_names.DECLARED[number(block)] + block.read_text()
        (tmp_path / block.name).write_text(text)
    # It draws with matplotlib, whose types are its own.
    if find_spec("matplotlib") is not None and find_spec("pandas-stubs") is not None:
        (tmp_path / "sweep.py").write_text(SWEEP.read_text())
    (tmp_path / "page.py").write_text("\n".join(text for _, text in blocks()))
    python("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), ".", cwd=tmp_path)


def test_the_stub_is_what_the_module_has(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    # What PyO3 adds to every class and module, and the module's own list of its names.
    allowed.write_text("pacemark\\._native\\.__all__\n")
    python("mypy.stubtest", "--allowlist", str(allowed), "--ignore-unused-allowlist", "pacemark._native", cwd=tmp_path)
