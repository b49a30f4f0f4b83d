#!/bin/sh
# Makes build/quic-go-HASH, a copy of the quic-go module with this project's congestion control, its stream_header.go and a longer accept queue in it, and
# OUT/quic-go.mod, a go.mod that names it: copy.sh OUT. HASH is of what goes into the copy. README.md beside this file says why.
set -eu
cd "$(dirname "$0")/../.."
out=$1
here=capi/quicgo

# What the files here are written against. With another quic-go: README.md, "When quic-go moves".
version=v0.65.0
replaced="internal/congestion/cubic_sender.go f0851305dab69494e3d3b81c3f437d25247db1026972cd23d743a5195f90f153
internal/utils/connstats.go 15c1d9d7f0724ce855d24a066b8dd5027bb0d35b840921ce2b14c52a4b3039d8
internal/protocol/params.go 559b10f63a51332b7720a75f249629bc7173b2b5ff220cd654ccbe5049c4f3b5
receive_stream.go 5bcc3f6162edd5ced172098947fe5b0dba2d15ddeb08cfd84862c886b17a4967"
placed="cubic_sender.go internal/congestion/cubic_sender.go
cubic_sender_test.go internal/congestion/cubic_sender_test.go
connstats.go internal/utils/connstats.go
conn_congestion.go conn_congestion.go
stream_header.go stream_header.go
stream_header_test.go stream_header_test.go
accept_queue_test.go accept_queue_test.go"

fail() {
    echo "capi/quicgo: $1" >&2
    echo "capi/quicgo: see capi/quicgo/README.md; with ZIG_H3_STOCK_QUIC=1 the build has quic-go's own congestion control" >&2
    exit 1
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d' ' -f1
}

module=github.com/quic-go/quic-go
go mod download $module
found=$(go list -m -f '{{.Version}}{{if .Replace}} replaced{{end}}' $module)
[ "$found" = "$version" ] || fail "go.mod has quic-go $found, this congestion control is for $version"
source=$(go list -m -f '{{.Dir}}' $module)
echo "$replaced" | while read -r file want; do
    [ -f "$source/$file" ] || fail "quic-go $version has no $file"
    got=$(sha256 "$source/$file")
    [ "$got" = "$want" ] || fail "quic-go's $file is another: SHA-256 $got, not $want"
done
for file in conn_congestion.go stream_header.go; do
    [ ! -e "$source/$file" ] || fail "quic-go $version has a $file of its own"
done

hash=$( (echo "$version $replaced $placed" && cat "$here"/*.go "$here/copy.sh") | sha256 | cut -c1-12)
copy=build/quic-go-$hash
if [ ! -d "$copy" ]; then
    mkdir -p build
    new=$(mktemp -d build/quic-go-new-XXXXXX)
    cp -R "$source/." "$new"
    chmod -R u+w "$new"
    rm -rf "$new/example" "$new/integrationtests" "$new/interop" "$new/assets"
    find "$new" -name '*_test.go' -delete
    echo "$placed" | while read -r from to; do
        sed '/^\/\/go:build ignore$/d' "$here/$from" >"$new/$to"
    done
    # A line more: behind the one statement, an if, that sets what is reliable when RESET_STREAM has come.
    awk '{ print } /s\.reliableSize = frame\.ReliableSize$/ { getline; print; print "\ts.keepHeader()" }' \
        "$source/receive_stream.go" >"$new/receive_stream.go"
    sed 's/^const MaxAcceptQueueSize = 32$/const MaxAcceptQueueSize = 1024/' "$source/internal/protocol/params.go" >"$new/internal/protocol/params.go"
    chmod 755 "$new"
    # Another build may have been faster; its copy is the same.
    mv -T "$new" "$copy" 2>/dev/null || { [ -d "$copy" ] || mv "$new" "$copy"; rm -rf "$new"; }
fi
# The path is relative, so that it, which Go writes into the library, is the same wherever the sources lie.
{ cat go.mod && printf '\nreplace %s => ./%s\n' $module "$copy"; } >"$out/quic-go.mod"
cp go.sum "$out/quic-go.sum"
