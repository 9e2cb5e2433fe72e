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
        help: ArgumentHelp("How much of the traffic is kept at most, as 50MiB. (default: 50MiB)", valueName: "size")
    )
    var memory: ByteSize?

    @Option(
        name: .customLong("inspect-body"),
        help: ArgumentHelp("How much is kept of one body at most, as 1MiB. (default: 1MiB)", valueName: "size")
    )
    var body: ByteSize?

    @Flag(name: .customLong("inspect-token"), help: "Let only those look who open the link that is printed.")
    var requiresToken = false

    @Option(
        name: .customLong("inspect-allow-host"),
        help: ArgumentHelp("Another name under which the inspector may be opened.", valueName: "name")
    )
    var allowedHosts: [String] = []

    func validate() throws {
        if let memory = self.memory, !InspectSettings.memoryRange.contains(memory.bytes) {
            throw ValidationError("--inspect-memory is a size from 64KiB to 64GiB.")
        }
        let memory = self.memory?.bytes ?? InspectSettings.memoryRange.upperBound
        if let body = self.body, !(0...memory).contains(body.bytes) {
            throw ValidationError("--inspect-body is a size of at most --inspect-memory.")
        }
    }

    /// The settings of a run; `nil` if nothing is kept.
    ///
    /// - Parameters:
    ///   - isWatched: Whether a person watches the run at a terminal.
    ///   - file: What a file of tunnels says, which the command line outranks.
    func settings(isWatched: Bool, file: InspectSettings = InspectSettings()) -> TrafficInspection.Settings? {
        let choice = self.inspect ?? file.choice ?? (isWatched ? .on : .off)
        var settings = TrafficInspection.Settings()
        switch choice {
        case .off: return nil
        case .on: break
        case .address(let address): settings.address = address
        }
        var budget = CaptureBudget()
        if let memory = self.memory ?? file.memory { budget.bytes = memory.bytes }
        if let body = self.body ?? file.body { budget.body = body.bytes }
        // More of a body than of everything can't be kept.
        budget.body = min(budget.body, budget.bytes)
        settings.budget = budget
        settings.allowedHosts = self.allowedHosts + file.allowedHosts
        settings.requiresToken = self.requiresToken || file.requiresToken == true
        settings.signingSecrets = file.signingSecrets
        return settings
    }
}
