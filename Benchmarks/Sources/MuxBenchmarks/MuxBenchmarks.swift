// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// Measures the protocol library: processor time, allocations, memory and shares, each printed as one line of JSON.
@main
struct MuxBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "MuxBenchmarks",
        abstract: "Measures the protocol library.",
        subcommands: [CodecBenchmarks.self, SessionBenchmarks.self, LinkServer.self, LinkClient.self]
    )
}
