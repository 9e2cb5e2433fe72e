# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The debug build of scripts that run it.

# debug_build ARGUMENT... builds without the index that editors read, which is a fifth of the work. Where one was built
# before it goes on: with other options everything would be built anew.
debug_build() {
    if grep -qs -- -index-store-path .build/debug.yaml; then
        swift build "$@"
    else
        swift build --disable-index-store "$@"
    fi
}
