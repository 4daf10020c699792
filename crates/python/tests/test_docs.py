"""The examples of docs/python.md, one after another in one namespace, and the sweep of docs/python_sweep.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, real_model

PAGE = REPOSITORY / "docs/python.md"
SWEEP = REPOSITORY / "docs/python_sweep.py"


def blocks() -> list[tuple[int, str]]:
    """Line and text of each."""
    text = PAGE.read_text()
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text[: block.start()].count("\n") + 2, block[1]) for block in found]


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the name of the default model is found without fetching it."""
    model = real_model()
    if model is None:
        pytest.skip("the page's examples want the default model: PACEMARK_TEST_MODELS")
    folder = tmp_path_factory.mktemp("home")
    (folder / "models").symlink_to(Path(model).resolve().parent)
    monkeypatch.setenv("PACEMARK_HOME", str(folder))
    return str(folder)


def test_the_page_has_examples() -> None:
    assert len(blocks()) >= 8


def test_every_example_of_the_page_runs(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for line, text in blocks():
        # Lines of errors are the page's.
        exec(compile("\n" * (line - 1) + text, str(PAGE), "exec"), names)


def test_the_sweep_runs(home: str, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    env = {**os.environ, "PACEMARK_HOME": home, "PACEMARK_SWEEP_RUNS": "2", "MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, SWEEP], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sweep.csv").is_file() and "tokens_per_second" in (tmp_path / "sweep.csv").read_text()
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
