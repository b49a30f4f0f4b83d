#!/bin/sh
# Builds the library: build/lib/libzigquicheh3.so (.dylib) and build/include/zig_h3.h, with zig_h3.cdef.h for what
# parses declarations without a preprocessor. Arguments go to go build (for instance
# -tags failpoint); OUT names another folder than build. The same sources give the same bytes, wherever they lie.
# quic-go is built from a copy with this project's congestion control in it (capi/quicgo); with ZIG_H3_STOCK_QUIC=1 as it is.
set -eu
cd "$(dirname "$0")/.."
out=${OUT:-build}
mkdir -p "$out/lib" "$out/include"
# -Xlinker and quotes: the path may hold spaces and commas.
case "$(uname -s)" in
Darwin)
    lib=libzigquicheh3.dylib
    link="-Xlinker -exported_symbols_list -Xlinker \"$PWD/capi/exports.list\" -Wl,-install_name,@rpath/$lib"
    ;;
*)
    lib=libzigquicheh3.so
    link="-Xlinker \"--version-script=$PWD/capi/exports.map\" -Wl,-soname,$lib.1 -Wl,-z,relro,-z,now -Wl,--build-id=none"
    ;;
esac
# By -modfile, since Go refuses overlays below its module cache.
modfile=
if [ "${ZIG_H3_STOCK_QUIC:-0}" != 1 ]; then
    capi/quicgo/copy.sh "$out"
    modfile=-modfile=$out/quic-go.mod
fi
CGO_ENABLED=1 CGO_CFLAGS="${CGO_CFLAGS:--O2}" go build -buildmode=c-shared -trimpath -buildvcs=false ${modfile:+"$modfile"} \
    -ldflags "-s -w -buildid= -extldflags '$link ${EXTLDFLAGS:-}'" -o "$out/lib/$lib" "$@" ./capi
rm -f "$out/lib/${lib%.*}.h" # what cgo writes of its own; include/zig_h3.h is the contract
case "$lib" in
*.so) ln -sf "$lib" "$out/lib/$lib.1" ;; # the name that programs linked against it ask for
esac
cp include/zig_h3.h "$out/include/zig_h3.h"
awk -f capi/cdef.awk include/zig_h3.h >"$out/include/zig_h3.cdef.h"
