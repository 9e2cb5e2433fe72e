// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTPTypes
import Hummingbird
import Inspection
import NIOCore

/// Answers with captured bytes.
///
/// What strangers sent is never an answer of a type of its own: a browser saves it, or a page reads it.
enum InspectorBodies {
    /// A captured message with its head read.
    struct Message {
        var capture: MessageCapture
        var head: HeadText
    }

    /// The codings that browsers undo.
    private static let known: Set<String> = ["gzip", "x-gzip", "deflate", "br", "zstd"]

    /// The content of a message.
    static func body(_ message: Message, of request: Request) throws -> Response {
        let query = request.uri.queryParameters
        let coding = message.head.contentCoding
        var bytes = message.capture.body.kept
        var headers = HTTPFields()
        if query.get("decoded") == "1" {
            guard let decoded = ContentDecoding.decode(bytes, coding: coding) else {
                throw ProblemDetails.inspector(
                    422,
                    "not_decodable",
                    "The content coding “\(coding ?? "")” can't be undone here, or the bytes are not what it says."
                )
            }
            bytes = decoded.bytes
        } else if let coding, query.get("stored") != "1" {
            let accepted = (request.headers[.acceptEncoding] ?? "").lowercased().split(separator: ",")
                .compactMap { $0.split(separator: ";").first.map { $0.filter { $0 != " " } } }
            if Self.known.contains(coding), accepted.contains(coding), !bytes.isEmpty {
                headers[.contentEncoding] = coding
            } else {
                headers[.culvertCoding] = coding
            }
        }
        return Self.attachment(ByteBuffer(bytes: bytes), headers)
    }

    /// The head as it passed, and the content.
    static func raw(_ message: Message) -> Response {
        Self.attachment(ByteBuffer(bytes: message.capture.head + message.capture.body.kept), HTTPFields())
    }

    private static func attachment(_ bytes: ByteBuffer, _ headers: HTTPFields) -> Response {
        var headers = headers
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = "attachment"
        headers[.contentSecurityPolicy] = "sandbox; default-src 'none'"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
    }
}
