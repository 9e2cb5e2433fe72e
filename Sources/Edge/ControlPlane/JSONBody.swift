// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore
import Protocol

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
        guard buffer.readableBytes > 0 else { return try self.decode(type, from: Array("{}".utf8)) }
        let mediaType = request.headers[.contentType]?.prefix { $0 != ";" }.trimmingPrefix(" ").lowercased()
        guard mediaType?.split(separator: " ") == ["application/json"] else { throw Problem.unsupportedMediaType }
        let bytes = Array(buffer.readableBytesView)
        let body = try self.decode(type, from: bytes)
        if let shape = try? JSONDecoder().decode(JSONShape.self, from: Data(bytes)),
            let unknown = members.unknownMember(in: shape)
        {
            throw Problem.invalidBody(field: unknown, detail: "\(unknown) is not known here.")
        }
        return body
    }

    private static func decode<Body: Decodable>(_ type: Body.Type, from bytes: [UInt8]) throws -> Body {
        do {
            return try APICoding.makeDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw self.problem(error)
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

    private static func problem(_ error: DecodingError) -> Problem {
        switch error {
        case .typeMismatch(let type, let context):
            .invalidBody(
                field: self.path(context.codingPath),
                detail: "\(self.path(context.codingPath) ?? "The body") has to be \(self.name(of: type))."
            )
        case .valueNotFound(_, let context):
            .invalidBody(
                field: self.path(context.codingPath),
                detail: "\(self.path(context.codingPath) ?? "The body") can't be null."
            )
        case .keyNotFound(let key, let context):
            .invalidBody(
                field: self.path(context.codingPath + [key]),
                detail: "\(self.path(context.codingPath + [key]) ?? "A member") is missing."
            )
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            .invalidBody(field: nil, detail: "The body is not JSON, or has a number out of range.")
        case .dataCorrupted(let context):
            .invalidBody(
                field: self.path(context.codingPath),
                detail: "\(self.path(context.codingPath) ?? "The body") has a value that is not allowed."
            )
        @unknown default:
            .invalidBody(field: nil, detail: "The body could not be read.")
        }
    }

    /// `policy.ip_allow[0]`.
    private static func path(_ keys: [any CodingKey]) -> String? {
        guard !keys.isEmpty else { return nil }
        return keys.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type, is any FloatingPoint.Type: "a number"
        case is any Collection.Type: "an array"
        default: "an object"
        }
    }
}
