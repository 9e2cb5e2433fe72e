// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore

/// One exchange, as the inspector's API shows it: ngrok's members, and more.
package struct ExchangeAnswer: Codable, Equatable, Sendable {
    /// An interim response.
    package struct Interim: Codable, Equatable, Sendable {
        package var status: Int?
        package var line: String
        package var fields: [[String]]
        package var atMS: Double

        private enum CodingKeys: String, CodingKey {
            case status
            case line
            case fields
            case atMS = "at_ms"
        }
    }

    /// When what passed, in milliseconds since the request's head.
    package struct Timings: Codable, Equatable, Sendable {
        package var requestHeadMS: Double
        package var requestEndMS: Double?
        package var responseHeadMS: Double?
        package var endMS: Double?

        private enum CodingKeys: String, CodingKey {
            case requestHeadMS = "request_head_ms"
            case requestEndMS = "request_end_ms"
            case responseHeadMS = "response_head_ms"
            case endMS = "end_ms"
        }
    }

    /// A signature that says when it was made.
    package struct Signature: Codable, Equatable, Sendable {
        package var field: String
        package var atMS: Double
        /// Whether a replay is signed anew.
        package var isRenewed = false

        private enum CodingKeys: String, CodingKey {
            case field
            case atMS = "at_ms"
            case isRenewed = "is_renewed"
        }
    }

    package var uri: String
    package var id: String
    package var tunnelName: String
    package var remoteAddress: String?
    /// RFC 3339.
    package var start: String
    package var startMS: Double
    /// In nanoseconds.
    package var duration: Int64?
    package var durationMS: Double?
    package var url: String?
    package var connection: UInt64
    package var kind: String
    package var state: String
    package var error: String?
    package var isWhole: Bool
    package var messages: Int?
    package var replayOf: String?
    package var isImported: Bool?
    package var request: MessageAnswer
    package var interim: [Interim]
    package var response: MessageAnswer?
    package var timings: Timings
    package var framesURI: String?
    package var framesDropped: Int?
    package var replays: [String]?
    package var isReplayable: Bool
    package var notReplayable: String?
    package var notReplayableCode: String?
    package var signature: Signature?

    /// Describes an exchange.
    ///
    /// - Parameters:
    ///   - view: The exchange.
    ///   - publicURL: The URL of its tunnel.
    ///   - replays: The exchanges that repeat it, if they are to be named.
    ///   - rawLimit: How many bytes of bodies the members `raw` have; without it there are none.
    package init(_ view: ExchangeView, publicURL: String?, replays: [CaptureID]? = nil, rawLimit: Int?) {
        let exchange = view.exchange
        let state = exchange.state
        let uri = "/api/requests/http/\(exchange.id)"
        self.uri = uri
        self.id = exchange.id.description
        self.tunnelName = exchange.tunnel
        self.remoteAddress = view.visitor
        self.startMS = exchange.start
        self.start = Date(timeIntervalSince1970: exchange.start / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        self.duration = view.duration?.nanoseconds
        self.durationMS = view.duration?.milliseconds
        self.url = publicURL.map { base in
            (base.hasSuffix("/") ? String(base.dropLast()) : base) + (view.target.hasPrefix("/") ? view.target : "/")
        }
        self.connection = exchange.connection
        self.kind = state.kind.rawValue
        self.state = ExchangeSummary.text(of: state.ending)
        self.error = view.failure
        self.isWhole = view.isWhole
        self.messages = state.frames?.total
        self.replayOf = exchange.replayOf?.description
        self.isImported = exchange.isImported ? true : nil
        self.request = MessageAnswer(request: view, uri: uri, rawLimit: rawLimit)
        self.interim = state.interim.map { interim in
            let head = HeadText(interim.head)
            return Interim(
                status: head.parts.count > 1 ? Int(head.parts[1]) : nil,
                line: head.line,
                fields: head.fields.map { [$0.name, $0.value] },
                atMS: exchange.span(to: interim.moment).milliseconds
            )
        }
        if let head = view.response, let message = state.response {
            self.response = MessageAnswer(response: head, message, of: view, uri: uri, rawLimit: rawLimit)
        }
        self.timings = Timings(
            requestHeadMS: 0,
            requestEndMS: state.requestEnd.map { exchange.span(to: $0).milliseconds },
            responseHeadMS: view.responseTime?.milliseconds,
            endMS: view.duration?.milliseconds
        )
        if let frames = state.frames {
            self.framesURI = uri + "/frames"
            self.framesDropped = frames.total - frames.count
        }
        self.replays = replays?.map(\.description)
        let refusal = ReplayRequest.refusal(of: view)
        self.isReplayable = refusal == nil
        self.notReplayable = refusal?.detail
        self.notReplayableCode = refusal?.code
        self.signature = Self.signature(in: view.request)
    }

    /// A signature with a time, by which most libraries refuse what is older than five minutes.
    static func signature(in head: HeadText) -> Signature? {
        if let value = head.first("stripe-signature") {
            let time = value.split(separator: ",").first { $0.hasPrefix("t=") }.flatMap { Double($0.dropFirst(2)) }
            if let time { return Signature(field: "Stripe-Signature", atMS: time * 1_000) }
        }
        for (timeField, field) in [
            ("x-slack-request-timestamp", "X-Slack-Signature"), ("webhook-timestamp", "webhook-signature"),
            ("svix-timestamp", "svix-signature"),
        ] {
            if let time = head.first(timeField).flatMap(Double.init) {
                return Signature(field: field, atMS: time * 1_000)
            }
        }
        return nil
    }

    private enum CodingKeys: String, CodingKey {
        case uri
        case id
        case tunnelName = "tunnel_name"
        case remoteAddress = "remote_addr"
        case start
        case startMS = "start_ms"
        case duration
        case durationMS = "duration_ms"
        case url
        case connection
        case kind
        case state
        case error
        case isWhole = "is_whole"
        case messages
        case replayOf = "replay_of"
        case isImported = "is_imported"
        case request
        case interim
        case response
        case timings
        case framesURI = "frames_uri"
        case framesDropped = "frames_dropped"
        case replays
        case isReplayable = "is_replayable"
        case notReplayable = "not_replayable"
        case notReplayableCode = "not_replayable_code"
        case signature
    }
}
