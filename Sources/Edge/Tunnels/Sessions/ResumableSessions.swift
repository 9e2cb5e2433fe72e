// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import Synchronization

/// The sessions of this edge that outlive their connection, by the id that HELLO gave them (docs/protocol.md §B.19).
///
/// Bounds what those without a connection hold. Every member may be used from any thread.
package final class ResumableSessions: Sendable {
    fileprivate struct Entry {
        var session: NIOLoopBound<SessionHandler>
        /// The tunnel that has the session for itself; `nil` if tunnels share it.
        var tunnelID: String?
        /// What it holds, in bytes, while it has no connection.
        var held: Int?
    }

    fileprivate struct State {
        var entries: [[UInt8]: Entry] = [:]
        var suspended = 0
        var heldBytes = 0
    }

    private let state = Mutex(State())
    private let maximumSuspended: Int
    private let maximumHeldBytes: Int

    /// Makes an empty table.
    ///
    /// - Parameters:
    ///   - maximumSuspended: How many sessions may be without a connection.
    ///   - maximumHeldBytes: What they may hold, in bytes.
    package init(maximumSuspended: Int = 4_096, maximumHeldBytes: Int = 256 << 20) {
        self.maximumSuspended = maximumSuspended
        self.maximumHeldBytes = maximumHeldBytes
    }

    /// How many sessions have no connection, and what they hold, in bytes.
    package var figures: (suspended: Int, heldBytes: Int) { self.state.withLock { ($0.suspended, $0.heldBytes) } }

    /// A session has become active.
    ///
    /// - Parameters:
    ///   - id: What names it.
    ///   - session: The session.
    ///   - tunnelID: The tunnel that has it for itself; `nil` if tunnels share it.
    func add(_ id: [UInt8], _ session: NIOLoopBound<SessionHandler>, tunnelID: String?) {
        self.state.withLock { $0.entries[id] = Entry(session: session, tunnelID: tunnelID) }
    }

    /// The session that a connector may ask for, if there is one; whether it is granted is the session's to say.
    ///
    /// - Parameters:
    ///   - request: What the connector's HELLO says.
    ///   - tunnelID: The tunnel that its token let it in for.
    package func find(_ request: ResumeRequest, tunnelID: String) -> NIOLoopBound<SessionHandler>? {
        guard let entry = self.state.withLock({ $0.entries[request.sessionID] }) else { return nil }
        return entry.tunnelID == nil || entry.tunnelID == tunnelID ? entry.session : nil
    }

    /// A session is about to lose its connection.
    ///
    /// - Returns: Whether there is room for it.
    func suspend(_ id: [UInt8], holding bytes: Int) -> Bool {
        self.state.withLock { state in
            guard let entry = state.entries[id] else { return false }
            if entry.held != nil { return true }
            guard state.suspended < self.maximumSuspended, state.heldBytes + bytes <= self.maximumHeldBytes else {
                return false
            }
            state.entries[id]?.held = bytes
            state.suspended += 1
            state.heldBytes += bytes
            return true
        }
    }

    /// A session has a connection again.
    func resume(_ id: [UInt8]) {
        self.state.withLock { $0.release(id) }
    }

    /// A session is over.
    func remove(_ id: [UInt8]) {
        self.state.withLock { state in
            state.release(id)
            state.entries[id] = nil
        }
    }
}

extension ResumableSessions.State {
    fileprivate mutating func release(_ id: [UInt8]) {
        guard let held = self.entries[id]?.held else { return }
        self.entries[id]?.held = nil
        self.suspended -= 1
        self.heldBytes -= held
    }
}
