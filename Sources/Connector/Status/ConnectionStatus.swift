// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import NIOConcurrencyHelpers

/// Tells how the tunnel fares: the public URL on standard output once it can be reached, the rest in the log.
final class ConnectionStatus: Sendable {
    private let publicURL: String
    private let target: OriginTarget
    private let logger: Logger
    private let print: @Sendable (String) -> Void
    private let isAnnounced = NIOLockedValueBox(false)

    /// Makes the status of one tunnel.
    ///
    /// - Parameters:
    ///   - publicURL: Where visitors reach it.
    ///   - target: What they reach.
    ///   - logger: For everything but the URL.
    ///   - print: Writes one line to standard output.
    init(
        publicURL: String,
        target: OriginTarget,
        logger: Logger,
        print: @escaping @Sendable (String) -> Void = ConnectionStatus.printLine
    ) {
        self.publicURL = publicURL
        self.target = target
        self.logger = logger
        self.print = print
    }

    /// Takes a report of a member of the bundle.
    func take(_ report: ConnectionReport) {
        switch report {
        case .connecting(let index):
            self.logger.debug("connecting", metadata: ["connection": "\(index)"])
        case .active(let index):
            self.announceOnce()
            self.logger.info("connected", metadata: ["connection": "\(index)"])
        case .replacing(let index, let code):
            self.logger.info(
                "the edge is leaving; opening another connection",
                metadata: ["connection": "\(index)", "code": "\(code)"]
            )
        case .waiting(let index, let delay, let reason):
            self.logger.warning(
                "\(reason)",
                metadata: ["connection": "\(index)", "retry_in": "\(delay.inSeconds)"]
            )
        case .replaced(let index):
            self.logger.warning(
                "Another connector took over this connection; leaving it alone.",
                metadata: ["connection": "\(index)"]
            )
        }
    }

    private func announceOnce() {
        let isFirst = self.isAnnounced.withLockedValue { isAnnounced in
            defer { isAnnounced = true }
            return !isAnnounced
        }
        guard isFirst else { return }
        self.print(self.publicURL)
        self.logger.info("forwarding", metadata: ["url": "\(self.publicURL)", "to": "\(self.target)"])
    }

    /// Writes a line to standard output at once, also into a pipe.
    static func printLine(_ line: String) {
        StandardStream.output.write(line + "\n")
    }
}

extension Duration {
    /// The duration in seconds with one decimal, as in `2.5s`.
    var inSeconds: String {
        let seconds = Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
        return String(format: "%.1fs", seconds)
    }
}
