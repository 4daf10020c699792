#!/usr/bin/env python3
"""Fails when a dependency's licence is not one of the permissive ones that Pacemark's own licences allow."""
import json
import re
import subprocess
import sys

ALLOWED = {
    "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MIT", "MIT-0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "ISC",
    "Zlib", "Unicode-3.0", "Unlicense", "0BSD", "CC0-1.0", "CDLA-Permissive-2.0", "BSL-1.0",
}


def allowed(expression):
    """One licence of every OR group; all of every AND group."""
    text = expression.replace("/", " OR ")
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1]
    parts = re.split(r"\s+AND\s+(?![^(]*\))", text)
    return all(any(one.strip(" ()") in ALLOWED for one in part.strip(" ()").split(" OR ")) for part in parts)


metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--format-version", "1", "--locked"], capture_output=True, check=True).stdout)
wrong = [f"{p['name']} {p['version']}: {p['license']}" for p in metadata["packages"]
         if p["source"] and not allowed(p["license"] or "none stated")]
print(f"{len(metadata['packages'])} packages, {len(wrong)} with a licence that is not allowed")
for line in wrong:
    print("  " + line)
sys.exit(bool(wrong))
