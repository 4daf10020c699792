#!/usr/bin/env python3
"""Fetches what the llama-cpp-python source package carries of llama.cpp's tests: chat templates of real models, and
vocabularies with texts (`.inp`) and their ids (`.out`).

    python fetch.py DIRECTORY

fills DIRECTORY/templates and DIRECTORY/vocabularies, unless they are there. None of it is ours, so none of it is committed.
"""
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE, VERSION = "llama_cpp_python", "0.3.36"

# pip asks a source package's build backend for metadata before it keeps the package. This one answers, and builds nothing.
BACKEND = f'''
import pathlib
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = pathlib.Path(directory, "{PACKAGE}-{VERSION}.dist-info")
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: {PACKAGE}\\nVersion: {VERSION}\\n")
    return info.name
'''


def download(directory):
    """The source package, by pip and from the index that pip is configured for."""
    backend = pathlib.Path(directory, "backend", "scikit_build_core")
    backend.mkdir(parents=True)
    backend.joinpath("__init__.py").touch()
    backend.joinpath("build.py").write_text(BACKEND)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", PACKAGE,
         "-d", directory, f"{PACKAGE}=={VERSION}"],
        check=True, env=os.environ | {"PYTHONPATH": str(backend.parent)})
    return pathlib.Path(directory, f"{PACKAGE}-{VERSION}.tar.gz")


def unpack(archive, directory):
    """Writes the wanted files under their own names alone, whatever paths the archive has."""
    for member in archive:
        path = pathlib.PurePosixPath(member.name)
        if not member.isfile() or "llama.cpp" not in path.parts:
            continue
        if path.parent.name == "templates" and path.suffix == ".jinja":
            kind = "templates"
        elif path.parent.name == "models" and path.name.startswith("ggml-vocab-"):
            kind = "vocabularies"
        else:
            continue
        directory.joinpath(kind).mkdir(parents=True, exist_ok=True)
        directory.joinpath(kind, path.name).write_bytes(archive.extractfile(member).read())


def main(directory):
    done = directory / f"fetched-{VERSION}"
    if not done.exists():
        with tempfile.TemporaryDirectory() as temporary, tarfile.open(download(temporary)) as archive:
            unpack(archive, directory)
        done.touch()
    for kind in ("templates", "vocabularies"):
        print(len(list(directory.joinpath(kind).iterdir())), "files in", kind)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
