# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What scripts build the tests, and the programs that these start, with.

# test_build ARGUMENT... calls `swift build` without an index and without debug information, which is less work. An editor
# and a debugger want both: so the folder is one of its own, and neither build undoes the other.
test_build() {
    swift build --scratch-path .build-tests --disable-index-store -debug-info-format none "$@"
}
