// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels

/// What the edge at the other end of a link is to be told of the sessions that tunnels have here: that nothing comes from
/// them, or something does again (docs/protocol.md §B.20).
///
/// A value; ``PeerLink`` sends what it says.
struct SilenceNotices {
    /// The tunnels of which the other edge has had streams passed on since there last were none, and whether it was told
    /// that their sessions are silent.
    private var told: [TunnelID: Bool] = [:]
    /// Those of which it could not be told what became of them.
    private(set) var owed: Set<TunnelID> = []

    /// A stream was passed on to a connector.
    ///
    /// - Returns: Whether the other edge has to be told, since it knows of no silence.
    mutating func passedOn(_ id: TunnelID, isSuspect: Bool) -> Bool {
        guard self.told[id] == nil else { return false }
        self.told[id] = false
        return isSuspect
    }

    /// Whether the other edge has to be told that a tunnel's sessions are silent, or are not any more.
    func isNews(_ isSuspect: Bool, of id: TunnelID) -> Bool {
        self.told[id].map { $0 != isSuspect } ?? false
    }

    /// A notice was sent, or found no place: it is owed then.
    mutating func sent(_ isSuspect: Bool, of id: TunnelID, hadPlace: Bool) {
        guard hadPlace else {
            self.owed.insert(id)
            return
        }
        self.told[id] = isSuspect
        self.owed.remove(id)
    }

    /// The other edge knows already what it was owed.
    mutating func settle(_ id: TunnelID) {
        self.owed.remove(id)
    }

    /// Forgets tunnels that are gone: on a link that is never at rest they would add up.
    mutating func forget(where isGone: (TunnelID) -> Bool) {
        self.told = self.told.filter { !isGone($0.key) }
        self.owed = self.owed.filter { !isGone($0) }
    }

    /// No stream is under way: the next one that is passed on begins anew, but where the other edge believes in a silence.
    mutating func rest() {
        self.told = self.told.filter { $0.value || self.owed.contains($0.key) }
    }
}
