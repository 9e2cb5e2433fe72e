// SPDX-License-Identifier: Apache-2.0

/// One tunnel as a file wants it, with all that its running depends on.
struct WantedTunnel: Equatable, Sendable {
    /// What makes it the same tunnel in a file that was edited.
    enum Identity: Hashable, Sendable, CustomStringConvertible {
        case name(String)
        case tokenFile(String)
        /// A tunnel without a name is known by its target, and by its place among those of that target.
        case target(OriginTarget, place: Int)

        var description: String {
            switch self {
            case .name(let name): name
            case .tokenFile(let path): path
            case .target(let target, _): "\(target)"
            }
        }
    }

    var identity: Identity
    var entry: TunnelsFile.Entry
    /// The edge that serves it.
    var edge: EdgeAddress
    /// How many connections to keep to the edge.
    var connections: Int
    /// Whether these are shared with the other tunnels of the file.
    var sharesConnections = true
}

extension WantedTunnel.Identity {
    /// The identities of a file's tunnels, in their order.
    static func of(_ entries: [TunnelsFile.Entry]) -> [Self] {
        var places: [OriginTarget: Int] = [:]
        return entries.map { entry in
            if let tokenFile = entry.tokenFile { return .tokenFile(tokenFile) }
            if let name = entry.name { return .name(name) }
            let place = places[entry.target, default: 0]
            places[entry.target] = place + 1
            return .target(entry.target, place: place)
        }
    }
}
