// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTPTypes
import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The latest calls that changed something, were refused, or read a message: what admins see of the audit log.
final class AuditTrail: Sendable {
    /// One call.
    struct Entry: Encodable, Sendable {
        var at: Date
        var principal: String?
        var method: String
        var path: String
        var tunnelID: String?
        var remote: String?
        var status: Int

        private enum CodingKeys: String, CodingKey {
            case at
            case principal
            case method
            case path
            case tunnelID = "tunnel_id"
            case remote
            case status
        }
    }

    /// The most calls that are remembered.
    static let capacity = 500

    private let entries = Mutex<[Entry]>([])

    /// The calls, the latest first.
    var latest: [Entry] { self.entries.withLock { $0.reversed() } }

    /// Notes a call, unless it only looked at what changes all the time.
    func note(
        _ audit: AuditRecord,
        _ request: HTTPRequest,
        from remoteAddress: SocketAddress?,
        status: HTTPResponse.Status,
        at date: Date = Date()
    ) {
        let path = (request.path ?? "").prefix { $0 != "?" && $0 != "#" }
        let onlyLooks = request.method == .get || request.method == .head
        guard !onlyLooks || path.contains("/messages/") else { return }
        // A path is as long as a stranger likes.
        let entry = Entry(
            at: date,
            principal: audit.principal,
            method: request.method.rawValue,
            path: String(path.prefix(200)),
            tunnelID: audit.tunnelID,
            remote: remoteAddress?.ipAddress,
            status: status.code
        )
        self.entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeFirst(entries.count - Self.capacity + 1) }
            entries.append(entry)
        }
    }
}
