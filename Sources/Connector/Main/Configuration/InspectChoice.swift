// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

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
