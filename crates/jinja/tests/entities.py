#!/usr/bin/env python3
"""Writes ../src/filters/entities.rs: the named character references of HTML 4, and which may be without a semicolon.

    python3 entities.py > ../src/filters/entities.rs && cargo fmt
"""
import html.entities

NAMES = sorted(html.entities.name2codepoint.items())
BARE = sorted(name for name in html.entities.html5 if not name.endswith(";"))

print("""//! The named character references of HTML 4 that `striptags` replaces.
//! Written by `tests/entities.py`; not to be edited by hand.

/// Names and their characters, sorted.""")
print(f"pub const NAMES: &[(&str, u32)] = &[{', '.join(f'({name!r}, 0x{code:x})' for name, code in NAMES)}];".replace("'", '"'))
print("\n/// Names that count without a semicolon too, sorted.")
print(f"pub const BARE: &[&str] = &[{', '.join(f'{name!r}' for name in BARE if name in dict(NAMES))}];".replace("'", '"'))
