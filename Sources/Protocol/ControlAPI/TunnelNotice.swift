// SPDX-License-Identifier: Apache-2.0

/// What an edge tells a connector of a tunnel without being asked.
///
/// It is the JSON of a stream of kind `notice` (docs/protocol.md §B.17). Whoever reads it takes members that it does not
/// know for nothing.
package struct TunnelNotice: Codable, Equatable, Sendable {
    /// Another connector that serves the tunnel.
    package struct Connector: Codable, Equatable, Sendable {
        /// What it calls itself.
        package var implementation: String?
        /// Where it connects from.
        package var remoteAddress: String?

        /// Makes a description of a connector.
        package init(implementation: String?, remoteAddress: String?) {
            self.implementation = implementation
            self.remoteAddress = remoteAddress
        }

        private enum CodingKeys: String, CodingKey {
            case implementation
            case remoteAddress = "remote_address"
        }
    }

    /// The other connectors that serve the tunnel now, ``maximumConnectors`` at most.
    package var alsoServedBy: [Connector]

    /// The most connectors that are named.
    package static let maximumConnectors = 8

    /// Makes a notice.
    package init(alsoServedBy: [Connector]) {
        self.alsoServedBy = Array(alsoServedBy.prefix(Self.maximumConnectors))
    }

    private enum CodingKeys: String, CodingKey {
        case alsoServedBy = "also_served_by"
    }
}
