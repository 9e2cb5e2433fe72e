// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTP1
import NIOCore

/// One exchange in an HTTP archive.
package struct HAREntry: Codable, Sendable {
    /// The request.
    package struct Request: Codable, Sendable {
        package var method: String
        package var url: String
        package var httpVersion: String
        package var cookies: [HARPair]
        package var headers: [HARPair]
        package var queryString: [HARPair]
        package var postData: PostData?
        package var headersSize: Int
        package var bodySize: Int
        package var _culvert: Kept?
    }

    /// A request's body as text.
    package struct PostData: Codable, Sendable {
        package var mimeType: String
        package var params: [HARPair]?
        package var text: String?
    }

    /// What is needed to send the request again exactly.
    package struct Kept: Codable, Sendable {
        package var target: String
        package var bodyBase64: String?
        package var isWhole: Bool

        private enum CodingKeys: String, CodingKey {
            case target
            case bodyBase64 = "body_base64"
            case isWhole = "is_whole"
        }
    }

    /// The response.
    package struct Response: Codable, Sendable {
        package var status: Int
        package var statusText: String
        package var httpVersion: String
        package var cookies: [HARPair]
        package var headers: [HARPair]
        package var content: Content
        package var redirectURL: String
        package var headersSize: Int
        package var bodySize: Int
        package var _error: String?
    }

    /// A response's body.
    package struct Content: Codable, Sendable {
        package var size: Int
        package var mimeType: String
        package var text: String?
        package var encoding: String?
        package var comment: String?
    }

    /// In milliseconds; -1 where it does not apply.
    package struct Timings: Codable, Sendable {
        package var blocked = -1.0
        package var dns = -1.0
        package var connect = -1.0
        package var send: Double
        package var wait: Double
        package var receive: Double
        package var ssl = -1.0
    }

    /// Nothing is said of caches.
    package struct Cache: Codable, Sendable {}

    /// A message of a WebSocket, as Chromium writes it.
    package struct Message: Codable, Sendable {
        package var type: String
        package var time: Double
        package var opcode: Int
        package var data: String
    }

    package var startedDateTime: String
    package var time: Double
    package var request: Request
    package var response: Response
    package var cache: Cache
    package var timings: Timings
    package var connection: String?
    package var _webSocketMessages: [Message]?

    /// How much may still be decoded for an archive.
    ///
    /// A thousand small bodies, which is all that the ring bounds, may stand for gigabytes. Those for which there is no room
    /// are written as they passed.
    struct Room {
        private(set) var bytes = 32 << 20

        mutating func decode(_ bytes: [UInt8], coding: String?) -> ContentDecoding.Decoded? {
            let isCoded = coding != nil && coding != "identity"
            guard isCoded else { return ContentDecoding.decode(bytes, coding: coding) }
            guard self.bytes > 0 else { return nil }
            let limit = min(self.bytes, ContentDecoding.limit)
            let decoded = ContentDecoding.decode(bytes, coding: coding, limit: limit)
            self.bytes -= decoded?.bytes.count ?? 0
            return decoded
        }
    }

    init(_ view: ExchangeView, url: String?, keepsSecrets: Bool, decoding room: inout Room) {
        let exchange = view.exchange
        let state = exchange.state
        self.startedDateTime = Date(timeIntervalSince1970: exchange.start / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        self.request = Self.request(view, url: url, keepsSecrets: keepsSecrets, &room)
        self.response = Self.response(view, keepsSecrets: keepsSecrets, &room)
        self.cache = Cache()
        let send = state.requestEnd.map { max(0, exchange.span(to: $0).milliseconds) } ?? 0
        let wait = max(0, (view.responseTime?.milliseconds ?? send) - send)
        let receive = max(0, (view.duration?.milliseconds ?? send + wait) - send - wait)
        self.timings = Timings(send: send, wait: wait, receive: receive)
        self.time = send + wait + receive
        self.connection = "\(exchange.connection)"
        // What was said in a WebSocket may be a secret, and no name tells.
        if keepsSecrets { self._webSocketMessages = Self.messages(exchange) }
    }

    // MARK: Pieces

    private static func request(
        _ view: ExchangeView,
        url: String?,
        keepsSecrets: Bool,
        _ room: inout Room
    ) -> Request {
        let capture = view.exchange.state.request
        let target = keepsSecrets ? view.target : SecretNames.maskedTarget(view.target)
        let base =
            url.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
            ?? "http://" + (view.request.first("host") ?? "localhost")
        let query = target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? ""
        let isForm = view.request.mediaType == "application/x-www-form-urlencoded"
        var postData: PostData?
        if capture.body.size > 0 {
            let decoded = room.decode(capture.body.kept, coding: view.request.contentCoding)
            let text = decoded.flatMap { String(validating: $0.bytes, as: UTF8.self) }
            let shown = text.map { isForm && !keepsSecrets ? SecretNames.maskedMembers($0) : $0 }
            postData = PostData(
                mimeType: view.request.first("content-type") ?? "",
                params: isForm ? shown.map(Self.members) : nil,
                text: shown
            )
        }
        // The exact bytes of a form with secrets would give them away.
        let isExact = keepsSecrets || !isForm
        return Request(
            method: view.method,
            url: base + (target.hasPrefix("/") ? target : "/"),
            httpVersion: view.version,
            cookies: keepsSecrets ? Self.cookies(view.request, "cookie", separator: ";") : [],
            headers: Self.headers(view.request, keepsSecrets: keepsSecrets),
            queryString: Self.members(query),
            postData: postData,
            headersSize: capture.head.count,
            bodySize: Int(clamping: capture.body.size),
            _culvert: Kept(
                target: target,
                bodyBase64: capture.body.kept.isEmpty || !isExact
                    ? nil : Data(capture.body.kept).base64EncodedString(),
                isWhole: capture.body.isWhole && isExact
            )
        )
    }

    private static func response(_ view: ExchangeView, keepsSecrets: Bool, _ room: inout Room) -> Response {
        guard let capture = view.exchange.state.response, let head = view.response else {
            return Response(
                status: 0,
                statusText: "",
                httpVersion: "",
                cookies: [],
                headers: [],
                content: Content(size: 0, mimeType: "x-unknown"),
                redirectURL: "",
                headersSize: -1,
                bodySize: -1,
                _error: view.failure
            )
        }
        var content = Content(
            size: Int(clamping: capture.body.size),
            mimeType: head.first("content-type") ?? "x-unknown"
        )
        if !capture.body.isWhole {
            content.comment = "The first \(capture.body.kept.count) of \(capture.body.size) bytes were kept."
        }
        if let decoded = room.decode(capture.body.kept, coding: head.contentCoding) {
            if head.contentCoding != nil { content.size = decoded.bytes.count }
            if !decoded.isWhole, capture.body.isWhole { content.comment = "Only the beginning is decoded here." }
            content.text = String(validating: decoded.bytes, as: UTF8.self)
            if content.text == nil, !decoded.bytes.isEmpty {
                content.text = Data(decoded.bytes).base64EncodedString()
                content.encoding = "base64"
            }
        } else if !capture.body.kept.isEmpty {
            content.text = Data(capture.body.kept).base64EncodedString()
            content.encoding = "base64"
            content.comment = "\(head.contentCoding ?? ""), not decoded"
        }
        return Response(
            status: view.status ?? 0,
            statusText: view.reason,
            httpVersion: head.parts.first.map(String.init) ?? "",
            cookies: keepsSecrets ? Self.cookies(head, "set-cookie", separator: "\n") : [],
            headers: Self.headers(head, keepsSecrets: keepsSecrets),
            content: content,
            redirectURL: head.first("location").map { keepsSecrets ? $0 : SecretNames.maskedTarget($0) } ?? "",
            headersSize: capture.head.count,
            bodySize: Int(clamping: capture.body.size),
            _error: view.failure
        )
    }

    /// The fields; without secrets, those that are secrets are left out.
    private static func headers(_ head: HeadText, keepsSecrets: Bool) -> [HARPair] {
        head.fields.filter { keepsSecrets || !SecretNames.isField($0.name) }
            .map { field in
                let value = keepsSecrets ? field.value : SecretNames.maskedTarget(field.value)
                return HARPair(name: field.name, value: value)
            }
    }

    private static func cookies(_ head: HeadText, _ name: String, separator: Character) -> [HARPair] {
        head.fields.filter { $0.name.asciiLowercased() == name }
            .flatMap { $0.value.split(separator: separator) }
            .compactMap { cookie in
                let pair = cookie.prefix { $0 != ";" }.split(
                    separator: "=",
                    maxSplits: 1,
                    omittingEmptySubsequences: false
                )
                guard pair.count == 2 else { return nil }
                return HARPair(name: pair[0].trimmingSpaces(), value: pair[1].trimmingSpaces())
            }
    }

    private static func members(_ query: String) -> [HARPair] {
        query.split(separator: "&").map { member in
            let pair = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.replacing("+", with: " ").removingPercentEncoding ?? String($0) }
            return HARPair(name: pair[0], value: pair.count > 1 ? pair[1] : "")
        }
    }

    private static func messages(_ exchange: ExchangeSnapshot) -> [Message]? {
        exchange.state.frames?.frames.compactMap { frame in
            guard let content = frame.content, frame.kind == .text || frame.kind == .binary else { return nil }
            return Message(
                type: frame.side == .visitor ? "send" : "receive",
                time: exchange.clock.milliseconds(frame.moment) / 1_000,
                opcode: frame.kind == .text ? 1 : 2,
                data: frame.kind == .text
                    ? String(decoding: content, as: UTF8.self) : Data(content).base64EncodedString()
            )
        }
    }
}
