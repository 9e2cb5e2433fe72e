// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers

/// The sessions that tunnels share, by edge.
final class SharedConnections: Sendable {
    private let sessions = NIOLockedValueBox<[EdgeAddress: SharedSessions]>([:])

    init() {}

    /// The shared sessions with an edge.
    ///
    /// - Parameters:
    ///   - edge: The edge.
    ///   - make: Makes them, if there are none yet.
    /// - Throws: What `make` throws.
    func sessions(
        with edge: EdgeAddress,
        make: () throws(CommandFailure) -> SharedSessions
    ) throws(CommandFailure) -> SharedSessions {
        if let known = self.sessions.withLockedValue({ $0[edge] }) { return known }
        let made = try make()
        return self.sessions.withLockedValue { sessions in
            if let known = sessions[edge] { return known }
            sessions[edge] = made
            return made
        }
    }
}
