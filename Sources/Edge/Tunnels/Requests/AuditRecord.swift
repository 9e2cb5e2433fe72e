// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import NIOCore
import Synchronization

/// What the audit log says of one call: who did what to which tunnel, from where, and what came of it.
///
/// Parts of it become known on the way through the router; the line is written once, at the end, whatever happened.
package final class AuditRecord: Sendable {
    private struct Facts {
        var principal: String?
        var tunnelID: String?
        var tokenID: String?
    }

    private let facts = Mutex(Facts())

    package init() {}

    /// Who makes the call, if that is known.
    package var principal: String? { self.facts.withLock { $0.principal } }

    /// Which tunnel the call is about, if it is about one.
    package var tunnelID: String? { self.facts.withLock { $0.tunnelID } }

    /// Notes who makes the call.
    package func note(principal: String) {
        self.facts.withLock { $0.principal = principal }
    }

    /// Notes which tunnel the call is about.
    package func note(tunnelID: String) {
        self.facts.withLock { $0.tunnelID = tunnelID }
    }

    /// Notes by which tunnel token, of which only the id is told.
    package func note(tokenID: String) {
        self.facts.withLock { $0.tokenID = tokenID }
    }

    /// Writes the line.
    ///
    /// - Parameters:
    ///   - logger: A logger with the request's id.
    ///   - method: The method of the call.
    ///   - path: Its path; a query is left out.
    ///   - remoteAddress: Where the caller connects from.
    ///   - status: What was answered.
    ///   - code: The code of the error, if it was one.
    package func write(
        to logger: Logger,
        method: HTTPRequest.Method,
        path: String,
        remoteAddress: SocketAddress?,
        status: HTTPResponse.Status,
        code: String?
    ) {
        let facts = self.facts.withLock { $0 }
        var metadata: Logger.Metadata = [
            "method": "\(method.rawValue)",
            "path": "\(path.prefix { $0 != "?" && $0 != "#" })",
            "status": "\(status.code)",
            "principal": "\(facts.principal ?? "-")",
            "remote": "\(remoteAddress?.ipAddress ?? "-")",
        ]
        if let tunnelID = facts.tunnelID { metadata["tunnel"] = "\(tunnelID)" }
        if let tokenID = facts.tokenID { metadata["token"] = "\(tokenID)" }
        if let code { metadata["code"] = "\(code)" }
        logger.info("audit", metadata: metadata)
    }
}
