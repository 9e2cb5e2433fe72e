// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import HTTP1

/// llhttp, as NIO uses it, as a second opinion: where it does not refuse, it has to see what we see.
enum LlhttpOracle {
    /// Compares a head.
    static func check(_ head: SeenHead) throws {
        // What follows a CONNECT or an upgrade is no message; the edge refuses the one and checks the other itself.
        guard head.start[0] != "CONNECT", head.start[0] != "101" else { return }
        let parts = self.parts(head.bytes, isRequest: head.isRequest)
        guard let other = parts.head else { return }
        let fields = head.fields.map { SeenHead.Field(name: $0.name, value: Self.asUTF8($0.value)) }
        try Finding.unless(
            other.start[0] == head.start[0] && (!head.isRequest || other.start[1] == Self.asUTF8(head.start[1])),
            "llhttp sees \(other.start), we \(head.start)"
        )
        try Finding.unless(other.isHTTP10 == head.isHTTP10, "llhttp sees another version")
        try Finding.unless(other.fields == fields, "llhttp sees the fields \(other.fields), we \(fields)")
        // An interim response has no body, and its end is not told.
        guard head.isRequest || !head.start[0].hasPrefix("1") else { return }
        let isOver =
            switch head.framing {
            case .none, .length(0): true
            case .length, .chunked, .untilClose: false
            }
        try Finding.unless(
            parts.hasFailed || parts.hasEnded == isOver,
            "llhttp \(parts.hasEnded ? "sees no body" : "waits for a body") where we read \(head.framing)"
        )
    }

    /// Reads a body as the one of a request.
    ///
    /// - Returns: Its content and trailers, if llhttp read it to its end.
    static func body(_ bytes: ByteBuffer, head: String) -> (content: ByteBuffer, trailers: Int)? {
        var message = ByteBuffer(string: head)
        message.writeImmutableBuffer(bytes)
        let parts = self.parts(message, isRequest: true)
        return parts.hasEnded ? (parts.content, parts.trailers) : nil
    }

    /// Whether llhttp refuses the request with this body.
    static func isRefused(_ bytes: ByteBuffer, head: String) -> Bool {
        var message = ByteBuffer(string: head)
        message.writeImmutableBuffer(bytes)
        return self.parts(message, isRequest: true).hasFailed
    }

    private struct Parts {
        var head: (start: [String], isHTTP10: Bool, fields: [SeenHead.Field])?
        var content = ByteBuffer()
        var trailers = 0
        var hasEnded = false
        var hasFailed = false
    }

    /// The first message.
    private static func parts(_ bytes: ByteBuffer, isRequest: Bool) -> Parts {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        var parts = Parts()
        do {
            if isRequest {
                let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)
                try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
                _ = try channel.writeInbound(bytes)
            } else {
                let decoder = HTTPResponseDecoder(
                    leftOverBytesStrategy: .dropBytes,
                    informationalResponseStrategy: .forward
                )
                try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
                let request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
                channel.write(HTTPClientRequestPart.head(request), promise: nil)
                _ = try channel.writeInbound(bytes)
            }
        } catch {
            parts.hasFailed = true
        }
        while !parts.hasEnded, self.take(channel, isRequest, into: &parts) {}
        return parts
    }

    private static func take(_ channel: EmbeddedChannel, _ isRequest: Bool, into parts: inout Parts) -> Bool {
        if isRequest {
            switch try? channel.readInbound(as: HTTPServerRequestPart.self) {
            case .head(let head):
                parts.head = ([head.method.rawValue, head.uri], head.version == .http1_0, self.fields(head.headers))
            case .body(let bytes): parts.content.writeImmutableBuffer(bytes)
            case .end(let trailers):
                parts.hasEnded = true
                parts.trailers = trailers?.count ?? 0
            case nil: return false
            }
        } else {
            switch try? channel.readInbound(as: HTTPClientResponsePart.self) {
            case .head(let head):
                parts.head = (["\(head.status.code)"], head.version == .http1_0, self.fields(head.headers))
            case .body(let bytes): parts.content.writeImmutableBuffer(bytes)
            case .end: parts.hasEnded = true
            case nil: return false
            }
        }
        return true
    }

    private static func fields(_ headers: HTTPHeaders) -> [SeenHead.Field] {
        // NIO leaves tabs at the end of a value.
        headers.map { SeenHead.Field(name: $0.name, value: $0.value.trimmingSpaces()) }
    }

    /// The text as NIO makes it of the same bytes.
    private static func asUTF8(_ latin1: String) -> String {
        String(decoding: latin1.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }, as: UTF8.self)
    }
}
