// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOCore

/// A tunnel, as the inspector's API shows it: ngrok's members, and more.
package struct TunnelAnswer: Codable, Equatable, Sendable {
    /// Where requests go.
    package struct Config: Codable, Equatable, Sendable {
        package var addr: String
        package var inspect: Bool
    }

    /// Counts.
    package struct Metrics: Codable, Equatable, Sendable {
        package var conns = Count()
        package var http = Count()
    }

    /// A count.
    package struct Count: Codable, Equatable, Sendable {
        package var count: UInt64 = 0
        package var gauge: UInt64 = 0
    }

    /// A connection to the edge.
    package struct Connection: Codable, Equatable, Sendable {
        package var index: Int
        package var state: String
        package var roundTripMS: Double?

        init(index: Int, state: TunnelDirectory.ConnectionState, roundTrip: TimeAmount?) {
            self.index = index
            self.state = state.rawValue
            self.roundTripMS = roundTrip?.milliseconds
        }

        private enum CodingKeys: String, CodingKey {
            case index
            case state
            case roundTripMS = "round_trip_ms"
        }
    }

    package var name: String
    package var id: String
    package var uri: String
    package var publicURL: String
    package var proto: String
    package var config: Config
    package var metrics = Metrics()
    package var state: String
    package var originFailure: String?
    /// How many requests the edge has answered itself during this run; `nil` if it can't be asked.
    package var edgeAnswers: UInt64?
    /// The same by the codes of the edge's errors, as far as it tells them.
    package var edgeAnswersByCode: [String: UInt64]?
    package var connections: [Connection]

    init(
        id: String,
        publicURL: String,
        target: OriginTarget,
        isInspected: Bool = true,
        originFailure: String?,
        edgeAnswers: EdgeAnswers? = nil,
        connections: [Connection]
    ) {
        self.name = id
        self.id = id
        self.uri = "/api/tunnels/\(id)"
        self.publicURL = publicURL
        self.proto = publicURL.hasPrefix("https:") ? "https" : "http"
        self.config = Config(addr: "\(target)", inspect: isInspected)
        self.originFailure = originFailure
        self.edgeAnswers = edgeAnswers?.count
        self.edgeAnswersByCode = edgeAnswers?.byCode.filter { !$0.key.isEmpty }
        self.connections = connections
        let states = Set(connections.map(\.state))
        let known: [TunnelDirectory.ConnectionState: String] = [
            .connected: "online", .draining: "online", .connecting: "connecting", .replaced: "replaced",
        ]
        let order: [TunnelDirectory.ConnectionState] = [.connected, .draining, .connecting, .replaced]
        self.state = order.first { states.contains($0.rawValue) }.flatMap { known[$0] } ?? "offline"
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case id
        case uri
        case publicURL = "public_url"
        case proto
        case config
        case metrics
        case state
        case originFailure = "origin_failure"
        case edgeAnswers = "edge_answers"
        case edgeAnswersByCode = "edge_answers_by_code"
        case connections
    }
}

/// All tunnels, as the inspector's API shows them.
package struct TunnelsAnswer: Codable, Equatable, Sendable {
    package var uri = "/api/tunnels"
    package var tunnels: [TunnelAnswer]

    /// Makes a list.
    package init(_ tunnels: [TunnelAnswer]) {
        self.tunnels = tunnels
    }
}
