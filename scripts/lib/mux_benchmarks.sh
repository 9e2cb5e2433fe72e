# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds what measures the multiplexer.

# build_mux_benchmarks sets $program. The folder is that of the programs' release build: who has built these has built nearly
# all of it.
build_mux_benchmarks() {
    CULVERT_BENCHMARKS=1 swift build --configuration release --product MuxBenchmarks
    # shellcheck disable=SC2034  # Read by who calls.
    program=$(swift build --configuration release --show-bin-path)/MuxBenchmarks
}
