// SPDX-License-Identifier: Apache-2.0

/// A list of exchanges, as the inspector's API has it.
package struct ListAnswer<Item: Codable & Sendable>: Codable, Sendable {
    package var uri: String
    package var requests: [Item]

    /// Makes a list.
    package init(_ requests: [Item]) {
        self.uri = "/api/requests/http"
        self.requests = requests
    }
}

/// How much is kept, as the inspector's API says it.
package struct StatusAnswer: Codable, Equatable, Sendable {
    package var version: String
    package var startedMS: Double
    package var count: Int
    package var total: UInt64
    package var oldest: String?
    package var memoryUsed: Int
    package var memoryLimit: Int
    package var bodyLimit: Int
    package var exchangeLimit: Int

    /// Describes a ring.
    package init(_ ring: CaptureRing, version: String, startedMS: Double) {
        let counts = ring.counts
        self.version = version
        self.startedMS = startedMS
        self.count = counts.kept
        self.total = counts.total
        self.oldest = counts.oldest?.description
        self.memoryUsed = ring.usedBytes
        self.memoryLimit = ring.budget.bytes
        self.bodyLimit = ring.budget.body
        self.exchangeLimit = ring.budget.exchanges
    }

    private enum CodingKeys: String, CodingKey {
        case version
        case startedMS = "started_ms"
        case count
        case total
        case oldest
        case memoryUsed = "memory_used"
        case memoryLimit = "memory_limit"
        case bodyLimit = "body_limit"
        case exchangeLimit = "exchange_limit"
    }
}

/// What a replay is asked for, as the inspector's API takes it.
package struct ReplayCall: Codable, Equatable, Sendable {
    package var id: String
    package var tunnelName: String?
    package var method: String?
    package var path: String?
    package var fields: [[String]]?
    package var body: String?
    package var bodyBase64: String?
    package var times: Int?
    package var concurrency: Int?

    /// Makes a call.
    package init(id: String, tunnelName: String? = nil) {
        self.id = id
        self.tunnelName = tunnelName
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case tunnelName = "tunnel_name"
        case method
        case path
        case fields
        case body
        case bodyBase64 = "body_base64"
        case times
        case concurrency
    }
}

/// The exchanges that a call has made.
package struct IDsAnswer: Codable, Equatable, Sendable {
    package var ids: [String]

    /// Names exchanges.
    package init(_ ids: [CaptureID]) {
        self.ids = ids.map(\.description)
    }
}
