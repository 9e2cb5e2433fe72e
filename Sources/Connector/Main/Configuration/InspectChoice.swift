// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// Whether requests can be inspected, and where.
enum InspectChoice: Equatable, Sendable, ExpressibleByArgument {
    case on
    case off
    case address(InspectorAddress)

    init?(argument: String) {
        switch argument {
        case "on", "true": self = .on
        // ngrok's flag of this name is on or off alone.
        case "off", "false": self = .off
        default:
            guard let address = InspectorAddress(argument) else { return nil }
            self = .address(address)
        }
    }
}
