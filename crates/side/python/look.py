"""Tells what of an engine's Python packages is here: one JSON object, for `pacemark doctor`.

Arguments: the names of modules, the engine's own last. Of each: its version, or why it cannot be
imported, and if that is a shared library that was not found, where one of that name lies.
"""

import glob
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys

import side

# It would tell its makers of each use, from a process that it forks and that outlives this one.
sys.modules["openvino_telemetry"] = None


def places(library):
    """Where shared libraries of that name lie though the loader did not find them."""
    stem = re.sub(r"(\.so|\.dylib|\.dll).*", "", library)
    roots = [path for path in sys.path if path.endswith("-packages")]
    roots += ["/opt/intel", "/usr/local", os.path.expanduser("~/intel")]
    roots += [os.environ[name] for name in ("INTEL_OPENVINO_DIR", "OpenVINO_DIR") if os.environ.get(name)]
    found = []
    for root in roots:
        for depth in ("*", "*/*", "*/*/*", "*/*/*/*"):
            found += glob.glob(os.path.join(glob.escape(root), depth, glob.escape(stem) + ".*"))
    return sorted(set(found))[:5]


def look(name):
    told = {"module": name, "version": None, "error": None, "library": None, "found": []}
    try:
        told["version"] = importlib.metadata.version(name.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(name) is None:
            told["error"] = f"No module named '{name}'"
            return told
    try:
        importlib.import_module(name)
    except BaseException as why:  # whatever a package does when it is imported
        told["error"] = f"{type(why).__name__}: {why}"
        missing = re.search(r"([\w.+-]+\.(?:so|dylib|dll)[\w.]*): cannot open|DLL load failed", str(why))
        if missing and missing.group(1):
            told["library"], told["found"] = missing.group(1), places(missing.group(1))
    return told


def devices(modules):
    """What computes, as the engine names it."""
    try:
        if "openvino" in modules:
            return importlib.import_module("openvino").Core().available_devices
        if "torch" in modules:
            torch = importlib.import_module("torch")
            return ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    except BaseException:  # told by `look`
        pass
    return []


names = sys.argv[1:]
told = {
    "python": sys.version.split()[0],
    "executable": sys.executable,
    "modules": [look(name) for name in names],
    "devices": devices(names),
}
side.tell(**told)
# Not the libraries' own ends, which may crash.
os._exit(0)
