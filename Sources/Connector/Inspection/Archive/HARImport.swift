// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTP1
import NIOCore

/// Reads HTTP archives, ours and those of browsers, into exchanges that can be looked at and sent again.
package enum HARImport {
    /// Only what is needed of an archive; programs leave much out.
    private struct Archive: Decodable {
        var log: Log
    }

    private struct Log: Decodable {
        var entries: [Entry]
    }

    private struct Entry: Decodable {
        var time: Double?
        var request: Request
        var response: Response?
    }

    private struct Request: Decodable {
        var method: String
        var url: String
        var headers: [HARPair]?
        var postData: PostData?
        var _culvert: HAREntry.Kept?
    }

    private struct PostData: Decodable {
        var text: String?
    }

    private struct Response: Decodable {
        var status: Int
        var statusText: String?
        var headers: [HARPair]?
        var content: Content?
    }

    private struct Content: Decodable {
        var text: String?
        var encoding: String?
    }

    /// The most entries that are read of one archive.
    package static let maximum = 1_000

    /// Reads an archive.
    ///
    /// - Parameters:
    ///   - bytes: The archive.
    ///   - now: The time; of exchanges only the durations are taken over.
    /// - Returns: The exchanges, in the order of the archive.
    /// - Throws: ``ProblemDetails`` if it is none.
    package static func read(_ bytes: Data, now: NIODeadline) throws(ProblemDetails) -> [ExchangeState] {
        let archive: Archive
        do {
            archive = try JSONDecoder().decode(Archive.self, from: bytes)
        } catch {
            throw .inspector(400, "malformed_body", "That is not an HTTP archive (HAR 1.2).")
        }
        guard archive.log.entries.count <= Self.maximum else {
            throw .inspector(413, "body_too_large", "An archive may have \(Self.maximum) entries.")
        }
        return archive.log.entries.compactMap { Self.exchange($0, now: now) }
    }

    private static func exchange(_ entry: Entry, now: NIODeadline) -> ExchangeState? {
        guard let url = URLComponents(string: entry.request.url) else { return nil }
        let path = url.percentEncodedPath.isEmpty ? "/" : url.percentEncodedPath
        let target = entry.request._culvert?.target ?? path + (url.percentEncodedQuery.map { "?" + $0 } ?? "")
        var fields = Self.fields(entry.request.headers)
        if !fields.contains(where: { $0.name.asciiLowercased() == "host" }) {
            let host = (url.host ?? "localhost") + (url.port.map { ":\($0)" } ?? "")
            // The host of a URL may hold coded line ends.
            fields = Self.fields([HARPair(name: "Host", value: host)]) + fields
        }
        let line = "\(entry.request.method) \(target) HTTP/1.1"
        guard Self.isRequest(line, fields) else { return nil }
        let exact = entry.request._culvert?.bodyBase64.flatMap { Data(base64Encoded: $0) }
        let body = exact ?? Data((entry.request.postData?.text ?? "").utf8)
        if exact == nil {
            // The text of an archive is decoded.
            fields.removeAll { $0.name.asciiLowercased() == "content-encoding" }
        }
        let began = now - .microseconds(Int64(max(0, min(entry.time ?? 0, 1e9)) * 1_000))
        var state = ExchangeState(
            request: MessageCapture(
                head: Self.head(line, fields),
                body: BodyCapture(
                    whole: Array(body),
                    size: entry.request._culvert?.isWhole == false ? UInt64(body.count) + 1 : nil
                )
            ),
            began: began
        )
        if let response = entry.response, (100...999).contains(response.status) {
            state.setResponse(Self.message(response), at: now)
        }
        state.requestEnd = began
        state.end = now
        state.ending = .complete
        return state
    }

    /// Whether a head is one that reads as a request when it is sent again; how its body is framed is said anew then.
    private static func isRequest(_ line: String, _ fields: [HARPair]) -> Bool {
        let others = fields.filter { !["content-length", "transfer-encoding"].contains($0.name.asciiLowercased()) }
        var parser = HeadParser()
        var bytes = ByteBuffer(bytes: Self.head(line, others))
        return (try? parser.request(&bytes)) != nil && bytes.readableBytes == 0
    }

    private static func message(_ response: Response) -> MessageCapture {
        let shown = response.content?.text ?? ""
        let content = response.content?.encoding == "base64" ? Data(base64Encoded: shown) : Data(shown.utf8)
        let fields = Self.fields(response.headers).filter { $0.name.asciiLowercased() != "content-encoding" }
        let text = response.statusText ?? ""
        let reason = Array(text.utf8).withUnsafeBytes(ByteClass.isFieldValue) ? text : ""
        return MessageCapture(
            head: Self.head("HTTP/1.1 \(response.status) \(reason)", fields),
            body: BodyCapture(whole: Array(content ?? Data()))
        )
    }

    /// The fields that can stand in a head; those of HTTP/2 begin with a colon.
    private static func fields(_ pairs: [HARPair]?) -> [HARPair] {
        (pairs ?? []).filter { pair in
            Array(pair.name.utf8).withUnsafeBytes(ByteClass.isToken)
                && Array(pair.value.utf8).withUnsafeBytes(ByteClass.isFieldValue)
        }
    }

    private static func head(_ line: String, _ fields: [HARPair]) -> [UInt8] {
        Array((([line] + fields.map { "\($0.name): \($0.value)" }).joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }
}
