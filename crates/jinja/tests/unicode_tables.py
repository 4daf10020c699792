#!/usr/bin/env python3
"""Writes ../src/unicode_tables.rs: what Python's `str` methods know of characters beyond ASCII.

    python3 unicode_tables.py > ../src/unicode_tables.rs && cargo fmt

The classes are borders of runs: members begin at the 1st, 3rd, ... and end before the 2nd, 4th, ....
"""
import unicodedata

EVERY = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def borders(name):
    found, inside = [], False
    for code in range(0x80, 0x110001):
        member = code < 0x110000 and getattr(chr(code), name)()
        if member != inside:
            found.append(hex(code))
            inside = member
    return found


def escaped(text):
    return "".join(f"\\u{{{ord(c):x}}}" for c in text)


def mapping(method, usual):
    pairs = [(c, getattr(c, method)()) for c in EVERY]
    return [f"('{escaped(c)}', \"{escaped(to)}\")" for c, to in pairs if to != getattr(c, usual)()]


def print_table(name, comment, kind, entries):
    print(f"\n/// {comment}\npub const {name}: &[{kind}] = &[{', '.join(entries)}];")


print(f"""//! What Python's `str` methods know of characters beyond ASCII (Unicode {unicodedata.unidata_version}).
//! Written by `tests/unicode_tables.py`; not to be edited by hand.""")
print_table("PRINTABLE", "`str.isprintable`.", "u32", borders("isprintable"))
print_table("ALPHABETIC", "`str.isalpha`.", "u32", borders("isalpha"))
print_table("DECIMAL", "`str.isdecimal`.", "u32", borders("isdecimal"))
print_table("DIGIT", "`str.isdigit`.", "u32", borders("isdigit"))
print_table("NUMERIC", "`str.isnumeric`.", "u32", borders("isnumeric"))
title = [hex(ord(c)) for c in EVERY if unicodedata.category(c) == "Lt"]
print_table("TITLE", "Letters that are capital and small at once.", "u32", title)
print_table("FOLDED", "`str.casefold` where it is not `str.lower`.", "(char, &str)", mapping("casefold", "lower"))
print_table("TITLED", "`str.title` of a letter where it is not `str.upper`.", "(char, &str)", mapping("title", "upper"))
