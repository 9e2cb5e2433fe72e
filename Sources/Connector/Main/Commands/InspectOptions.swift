// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Inspection

/// The options of every command that serves a tunnel: what is kept of the traffic, and where it can be looked at.
struct InspectOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Show requests at http://127.0.0.1:4040: on, off, or the address to listen on. On by default at a terminal.",
            valueName: "on|off|address"
        )
    )
    var inspect: InspectChoice?

    @Option(
        name: .customLong("inspect-memory"),
        help: ArgumentHelp("How much of the traffic is kept at most, as 50MiB.", valueName: "size")
    )
    var memory = ByteSize(50 << 20)

    @Option(
        name: .customLong("inspect-body"),
        help: ArgumentHelp("How much is kept of one body at most, as 1MiB.", valueName: "size")
    )
    var body = ByteSize(1 << 20)

    @Flag(name: .customLong("inspect-token"), help: "Let only those look who open the link that is printed.")
    var requiresToken = false

    @Option(
        name: .customLong("inspect-allow-host"),
        help: ArgumentHelp("Another name under which the inspector may be opened.", valueName: "name")
    )
    var allowedHosts: [String] = []

    func validate() throws {
        guard (1 << 16...1 << 36).contains(self.memory.bytes) else {
            throw ValidationError("--inspect-memory is a size from 64KiB to 64GiB.")
        }
        guard (0...self.memory.bytes).contains(self.body.bytes) else {
            throw ValidationError("--inspect-body is a size of at most --inspect-memory.")
        }
    }

    /// The settings of a run; `nil` if nothing is kept.
    ///
    /// - Parameter isWatched: Whether a person watches the run at a terminal.
    func settings(isWatched: Bool) -> TrafficInspection.Settings? {
        let choice = self.inspect ?? (isWatched ? .on : .off)
        var settings = TrafficInspection.Settings()
        switch choice {
        case .off: return nil
        case .on: break
        case .address(let address): settings.address = address
        }
        settings.budget = CaptureBudget(bytes: self.memory.bytes, body: self.body.bytes)
        settings.allowedHosts = self.allowedHosts
        settings.requiresToken = self.requiresToken
        return settings
    }
}

/// Whether requests can be inspected, and where.
enum InspectChoice: Equatable, Sendable, ExpressibleByArgument {
    case on
    case off
    case address(InspectorAddress)

    init?(argument: String) {
        switch argument {
        case "on": self = .on
        case "off": self = .off
        default:
            guard let address = InspectorAddress(argument) else { return nil }
            self = .address(address)
        }
    }
}

/// A number of bytes, as `50MiB` or `1000`.
struct ByteSize: Equatable, Sendable, ExpressibleByArgument {
    var bytes: Int

    private static let units: [(String, Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("B", 1), ("", 1),
    ]

    init(_ bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        for (unit, factor) in Self.units where argument.hasSuffix(unit) {
            guard let number = Int(argument.dropLast(unit.count)), number >= 0 else { continue }
            let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: factor)
            guard !isTooLarge else { return nil }
            self.bytes = bytes
            return
        }
        return nil
    }

    var defaultValueDescription: String {
        for (unit, factor) in Self.units.prefix(3).reversed() where self.bytes > 0 && self.bytes % factor == 0 {
            return "\(self.bytes / factor)\(unit)"
        }
        return "\(self.bytes)"
    }
}
