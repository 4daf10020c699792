#!/bin/sh
# The certificates of the tests, made by OpenSSL 3: valid from 2000 to 2099, but for the one that has expired.
# `sh make.sh` in this folder makes new ones; the keys are worth nothing.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# NAME, its extensions, its last year, and who signs it: arguments of `openssl ca`
certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$work/csr" -subj "/CN=$1" 2>/dev/null
    : >"$work/index"
    printf '[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nnew_certs_dir=%s\nrand_serial=yes\nunique_subject=no\npolicy=p\ndefault_md=sha256\n[p]\ncommonName=supplied\n[e]\n%s\n' \
        "$work/index" "$work" "$2" >"$work/conf"
    last=$3 name=$1
    shift 3
    openssl ca -batch -notext -config "$work/conf" -extensions e -in "$work/csr" -out "$name.pem" \
        -startdate 20000101000000Z -enddate "${last}1231235959Z" "$@" 2>/dev/null
}

names='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
here="basicConstraints=CA:FALSE
$names"
elsewhere='basicConstraints=CA:FALSE
subjectAltName=DNS:example.org'
certificate ca basicConstraints=critical,CA:TRUE 2099 -selfsign -keyfile ca.key
certificate good "$here" 2099 -cert ca.pem -keyfile ca.key
certificate expired "$here" 2001 -cert ca.pem -keyfile ca.key
certificate elsewhere "$elsewhere" 2099 -cert ca.pem -keyfile ca.key
certificate authority "basicConstraints=CA:TRUE
$names" 2099 -selfsign -keyfile authority.key
certificate authority-expired "basicConstraints=CA:TRUE
$names" 2001 -selfsign -keyfile authority-expired.key
certificate self "$here" 2099 -selfsign -keyfile self.key
rm ca.key
