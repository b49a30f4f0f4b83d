#!/bin/sh
# Builds the command line program: build/h3. Arguments go to go build; OUT names another folder than build. As the library it is built with
# this project's congestion control (capi/quicgo), with ZIG_H3_STOCK_QUIC=1 without. It needs no C compiler, and the program no C library.
set -eu
cd "$(dirname "$0")/../../.."
out=${OUT:-build}
mkdir -p "$out"
modfile=
if [ "${ZIG_H3_STOCK_QUIC:-0}" != 1 ]; then
    capi/quicgo/copy.sh "$out"
    modfile=-modfile=$out/quic-go.mod
fi
CGO_ENABLED=0 go build -trimpath -buildvcs=false ${modfile:+"$modfile"} -ldflags "-s -w -buildid=" -o "$out/h3" "$@" ./engine/cmd/h3
