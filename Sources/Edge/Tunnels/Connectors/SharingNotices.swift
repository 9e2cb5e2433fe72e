// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Which connectors are to be told who else serves their tunnels, a value without I/O.
///
/// What has changed is told when it has stayed so from one look to the next: a connector that replaces its connections is
/// for a moment beside itself.
struct SharingNotices {
    private struct Told {
        var others: [TunnelNotice.Connector] = []
        var seen: [TunnelNotice.Connector] = []
    }

    /// By the numbers of the sessions.
    private var told: [UInt64: Told] = [:]

    /// Looks at who else serves the tunnel of a session.
    ///
    /// - Parameters:
    ///   - others: The other connectors; `nil` if another session of the same connector is told.
    ///   - session: The number of the session.
    /// - Returns: What to tell.
    mutating func look(_ others: [TunnelNotice.Connector]?, session: UInt64) -> TunnelNotice? {
        guard let others else {
            self.told[session] = nil
            return nil
        }
        var state = self.told[session] ?? Told()
        defer { self.told[session] = state }
        let isSettled = state.seen == others
        state.seen = others
        guard isSettled, state.others != others else { return nil }
        state.others = others
        return TunnelNotice(alsoServedBy: others)
    }

    /// The session serves its tunnel no longer.
    mutating func left(_ session: UInt64) {
        self.told[session] = nil
    }
}
