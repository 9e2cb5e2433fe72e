// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTPTypes
import Hummingbird
import JSONText
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The bodies of calls and answers.
enum JSONBody {
    /// The longest body of a call, in bytes.
    static let maximumLength = 64 * 1024

    /// Reads the body of a call; an empty one stands for `{}`.
    ///
    /// - Throws: ``Problem``, naming the member that is wrong.
    static func decode<Body: Decodable>(
        _ type: Body.Type,
        members: JSONMembers,
        from request: Request
    ) async throws -> Body {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: self.maximumLength)
        } catch is NIOTooManyBytesError {
            throw Problem.bodyTooLarge(limit: self.maximumLength)
        }
        var bytes = Array(buffer.readableBytesView)
        if bytes.isEmpty {
            bytes = Array("{}".utf8)
        } else {
            let mediaType = request.headers[.contentType]?.prefix { $0 != ";" }.trimmingPrefix(" ").lowercased()
            guard mediaType?.split(separator: " ") == ["application/json"] else { throw Problem.unsupportedMediaType }
        }
        do {
            return try StrictJSON.decode(type, members: members, from: bytes, decoder: APICoding.makeDecoder())
        } catch {
            throw Problem.invalidBody(field: error.field, detail: "\(error.field ?? "The body") \(error.message).")
        }
    }

    /// An answer with a JSON body.
    static func response(_ status: HTTPResponse.Status, _ body: some Encodable) throws -> Response {
        let bytes = try APICoding.makeEncoder().encode(body)
        return Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}
