set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
default:
    @"{{ just_executable() }}" --list

# Build build/lib/libzigquicheh3.so and build/include/zig_h3.h
build:
    @capi/build.sh

# Build build/h3, HTTP/3 from the command line: h3 get, h3 serve, h3 wt, h3 bench
cli:
    @engine/cmd/h3/build.sh

# Run every test suite, or the named ones; `just test --list` names them
[no-exit-message]
test *suites:
    @tests/run {{ suites }}

# Build, start a Bun server, send it requests with another implementation's client and with h3Fetch, and end
[no-exit-message]
demo:
    @tests/demo/run

# Serve a page that plots WebTransport's round-trip times in a browser, until Ctrl-C
[no-exit-message]
demo-wt *options:
    @tests/demo-wt/run {{ options }}

# Measure this server, plain quic-go and Bun.serve side by side; `just bench --json` for machines
bench *options: build
    @tests/setup/install bun >&2
    @tests/bench/run {{ options }}

# Measure clients side by side against one server: h3Fetch, Bun's fetch, plain quic-go and the command line
bench-fetches *options: build
    @tests/setup/install bun >&2
    @tests/bench/fetches {{ options }}

# The same of WebTransport: WebTransport in Bun, webtransport-go's client and the engine alone
bench-sessions *options: build
    @tests/setup/install bun >&2
    @tests/bench/sessions {{ options }}

# Format the Go sources
fmt:
    gofmt -w engine eventq capi tests

# Static checks only
[no-exit-message]
lint:
    @tests/run lint layering

# Remove all that was built or installed
clean:
    rm -rf build bindings/bun/node_modules tests/node/node_modules tests/deno/node_modules tests/wpt/node_modules tests/moq/node_modules tests/libraries/node_modules
    find . -name __pycache__ -type d -prune -exec rm -rf {} +
