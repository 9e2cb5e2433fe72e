// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Turns the events of a tunnel's connections into events of the status, and announces its URL once.
final class ConnectionStatus: Sendable {
    private let publicURL: String
    private let target: OriginTarget
    private let report: @Sendable (StatusEvent) -> Void
    private let announce: @Sendable (String) -> Void
    private let isAnnounced = NIOLockedValueBox(false)

    /// Makes the status of one tunnel.
    ///
    /// - Parameters:
    ///   - publicURL: Where visitors reach it.
    ///   - target: What they reach.
    ///   - report: Receives the events.
    ///   - announce: Called once with the URL, when visitors can reach it for the first time.
    init(
        publicURL: String,
        target: OriginTarget,
        report: @escaping @Sendable (StatusEvent) -> Void,
        announce: @escaping @Sendable (String) -> Void
    ) {
        self.publicURL = publicURL
        self.target = target
        self.report = report
        self.announce = announce
    }

    /// Takes an event of a connection.
    func take(_ report: ConnectionEvent) {
        switch report {
        case .connecting(let index):
            self.report(.connecting(connection: index))
        case .opened:
            break
        case .active(let index):
            self.announceOnce()
            self.report(.connected(connection: index))
        case .replacing(let index, let code):
            self.report(.draining(connection: index, code: code))
        case .suspended(let index, let reason, let streams):
            self.report(.suspended(connection: index, streams: streams, reason: reason))
        case .resumed(let index, let pause, let repeated):
            self.report(.resumed(connection: index, pause: pause, repeated: repeated))
        case .waiting(let index, let delay, let reason), .stillAway(let index, let delay, let reason):
            self.report(.waiting(connection: index, retryIn: delay, reason: reason))
        case .replaced(let index):
            self.report(.replaced(connection: index))
        }
    }

    private func announceOnce() {
        let isFirst = self.isAnnounced.withLockedValue { isAnnounced in
            defer { isAnnounced = true }
            return !isAnnounced
        }
        guard isFirst else { return }
        self.announce(self.publicURL)
        self.report(.online(url: self.publicURL, target: "\(self.target)"))
    }
}
