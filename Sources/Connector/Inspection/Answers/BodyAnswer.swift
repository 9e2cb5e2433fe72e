// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore

/// What the inspector's API says of a body; the bytes have a URI of their own.
package struct BodyAnswer: Codable, Equatable, Sendable {
    package var size: UInt64
    package var kept: Int
    package var isWhole: Bool
    package var isComplete: Bool
    package var contentType: String?
    package var type: String?
    package var coding: String?
    package var isChunked: Bool
    package var uri: String
    /// Places in the content and milliseconds since the exchange began.
    package var arrivals: [[Double]]?

    init(_ body: BodyCapture, head: HeadText, uri: String, exchange: ExchangeSnapshot) {
        self.size = body.size
        self.kept = body.kept.count
        self.isWhole = body.isWhole
        self.isComplete = body.isComplete
        self.contentType = head.first("content-type")
        self.type = head.mediaType
        self.coding = head.contentCoding
        self.isChunked = head.first("transfer-encoding") != nil
        self.uri = uri
        if !body.arrivals.isEmpty {
            self.arrivals = body.arrivals.map { [Double($0.offset), exchange.span(to: $0.moment).milliseconds] }
        }
    }

    private enum CodingKeys: String, CodingKey {
        case size
        case kept
        case isWhole = "is_whole"
        case isComplete = "is_complete"
        case contentType = "content_type"
        case type
        case coding
        case isChunked = "is_chunked"
        case uri
        case arrivals
    }
}

/// What the inspector's API says of a request or response: ngrok's members, and fields in order with repeats.
package struct MessageAnswer: Codable, Equatable, Sendable {
    package var method: String?
    package var uri: String?
    package var status: String?
    package var statusCode: Int?
    package var proto: String
    package var line: String
    package var fields: [[String]]
    package var headers: [String: [String]]
    package var body: BodyAnswer
    package var trailers: [[String]]?
    /// The names of fields that passed and are not kept.
    package var droppedFields: [String]?
    /// The head and the content as they were kept, in base64.
    package var raw: String?

    init(request view: ExchangeView, uri: String, rawLimit: Int?) {
        self.init(view.request, view.exchange.state.request, uri: uri + "/request/body", view, rawLimit: rawLimit)
        self.method = view.method
        self.uri = view.target
        self.proto = view.version
    }

    init(response head: HeadText, _ message: MessageCapture, of view: ExchangeView, uri: String, rawLimit: Int?) {
        self.init(head, message, uri: uri + "/response/body", view, rawLimit: rawLimit)
        self.status = ([view.status.map { "\($0)" }, view.reason].compactMap { $0 }).filter { !$0.isEmpty }
            .joined(separator: " ")
        self.statusCode = view.status
        self.proto = head.parts.first.map(String.init) ?? ""
    }

    private init(_ head: HeadText, _ message: MessageCapture, uri: String, _ view: ExchangeView, rawLimit: Int?) {
        self.proto = ""
        self.line = head.line
        self.fields = head.fields.map { [$0.name, $0.value] }
        self.headers = [:]
        for field in head.fields { self.headers[field.name, default: []].append(field.value) }
        self.body = BodyAnswer(message.body, head: head, uri: uri, exchange: view.exchange)
        if !message.trailers.isEmpty {
            self.trailers = HeadText(message.trailers, hasLine: false).fields.map { [$0.name, $0.value] }
        }
        self.droppedFields = message.dropped.isEmpty ? nil : message.dropped
        if let rawLimit {
            self.raw = Data(message.head + message.body.kept.prefix(rawLimit)).base64EncodedString()
        }
    }

    private enum CodingKeys: String, CodingKey {
        case method
        case uri
        case status
        case statusCode = "status_code"
        case proto
        case line
        case fields
        case headers
        case body
        case trailers
        case droppedFields = "dropped_fields"
        case raw
    }
}
