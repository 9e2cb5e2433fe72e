// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Protocol

/// Counts what happens to connectors and their sessions; called from any thread.
package protocol SessionRecorder: Sendable {
    /// A connector's session has joined its tunnel.
    func sessionOpened()
    /// A session that had joined has ended.
    func sessionClosed()
    /// A connector's connection is over.
    ///
    /// - Parameter limits: How often the connector passed which limit of the protocol.
    func limitsPassed(_ limits: [PeerLimit: Int])
    /// What a session does has changed.
    func sessionChanged(from old: SessionFigures, to new: SessionFigures)
    /// A session has lost its connection and is kept.
    ///
    /// - Parameter tunnels: How many tunnels it serves.
    func sessionSuspended(tunnels: Int)
    /// Such a session has a connection again.
    ///
    /// - Parameters:
    ///   - tunnels: How many tunnels it serves.
    ///   - pause: How long it had none.
    func sessionResumed(tunnels: Int, after pause: TimeAmount)
    /// Such a session is over.
    func sessionSuspensionEnded()
    /// A connector's token was refused.
    func connectorRefused()
    /// A connector was told to come a little later.
    func connectorPutOff()
}

/// What one session adds to the figures of all.
package struct SessionFigures: Equatable, Sendable {
    /// The streams under way.
    package var streams = 0
    /// How often one of them waited for credit.
    package var stalls: UInt64 = 0
}
