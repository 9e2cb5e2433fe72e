// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A line of the list of exchanges, as the inspector's API has it.
package struct ExchangeSummary: Codable, Equatable, Sendable {
    package var id: String
    package var tunnelName: String
    /// Milliseconds since 1970.
    package var start: Double
    package var method: String
    package var path: String
    package var query: String?
    package var status: Int?
    package var state: String
    package var error: String?
    package var durationMS: Double?
    package var responseMS: Double?
    package var requestSize: UInt64
    package var responseSize: UInt64
    package var requestType: String?
    package var type: String?
    package var kind: String
    package var messages: Int?
    package var isWhole: Bool
    package var remoteAddress: String?
    package var replayOf: String?
    package var isImported: Bool?

    /// The longest path and query in a line, in bytes.
    private static let longestTarget = 2_048

    /// Describes an exchange.
    package init(_ view: ExchangeView) {
        let exchange = view.exchange
        let state = exchange.state
        self.id = exchange.id.description
        self.tunnelName = exchange.tunnel
        self.start = exchange.start
        self.method = view.method
        self.path = Self.shortened(view.path)
        self.query = view.query.map(Self.shortened)
        self.status = view.status
        self.state = Self.text(of: state.ending)
        self.error = view.failure
        self.durationMS = view.duration?.milliseconds
        self.responseMS = view.responseTime?.milliseconds
        self.requestSize = state.request.body.size
        self.responseSize = state.response?.body.size ?? 0
        self.requestType = view.request.mediaType
        self.type = view.response?.mediaType
        self.kind = state.kind.rawValue
        self.messages = state.frames?.total
        self.isWhole = view.isWhole
        self.remoteAddress = view.visitor
        self.replayOf = exchange.replayOf?.description
        self.isImported = exchange.isImported ? true : nil
    }

    static func text(of ending: ExchangeState.Ending) -> String {
        switch ending {
        case .open: "open"
        case .complete: "complete"
        case .failed: "failed"
        }
    }

    private static func shortened(_ text: String) -> String {
        text.utf8.count <= Self.longestTarget
            ? text : String(decoding: text.utf8.prefix(Self.longestTarget), as: UTF8.self)
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case tunnelName = "tunnel_name"
        case start
        case method
        case path
        case query
        case status
        case state
        case error
        case durationMS = "duration_ms"
        case responseMS = "response_ms"
        case requestSize = "request_size"
        case responseSize = "response_size"
        case requestType = "request_type"
        case type
        case kind
        case messages
        case isWhole = "is_whole"
        case remoteAddress = "remote_addr"
        case replayOf = "replay_of"
        case isImported = "is_imported"
    }
}
