// SPDX-License-Identifier: Apache-2.0
#if Redis

import CHiredis

/// Reads the replies of a Redis server from its bytes: hiredis' own parser.
///
/// For one thread at a time. It is a module of its own because hiredis' header brings others of the system with it.
package final class RESPReader {
    /// Why a server is not listened to any longer.
    package enum Failure: Error, Equatable, CustomStringConvertible {
        /// What it sends is no reply.
        case malformed(String)
        /// It sent a reply, or so much of one, that is larger than any that was asked for.
        case tooLarge(limit: Int)

        package var description: String {
            switch self {
            case .malformed(let why): "the server does not speak RESP2: \(why)"
            case .tooLarge(let limit): "the server sent a reply of more than \(limit) bytes"
            }
        }
    }

    /// `nil` only where there was no memory for it.
    private let reader: UnsafeMutablePointer<redisReader>?
    private let limit: Int

    /// Makes a reader that has read nothing.
    ///
    /// - Parameter limit: The most bytes of a reply that is not complete.
    package init(limit: Int = 16 << 20) {
        self.reader = redisReaderCreate()
        self.limit = limit
    }

    deinit {
        if let reader { redisReaderFree(reader) }
    }

    /// Takes bytes of the server.
    package func feed(_ bytes: UnsafeRawBufferPointer) throws {
        guard !bytes.isEmpty else { return }
        guard let reader, redisReaderFeed(reader, bytes.baseAddress, bytes.count) == REDIS_OK else {
            throw self.failure
        }
    }

    /// The next reply; `nil` until more bytes come.
    package func next() throws -> RESPValue? {
        var reply: UnsafeMutableRawPointer?
        guard let reader, redisReaderGetReply(reader, &reply) == REDIS_OK else { throw self.failure }
        guard let reply else {
            // What is left belongs to one reply.
            guard reader.pointee.len - reader.pointee.pos <= self.limit else {
                throw Failure.tooLarge(limit: self.limit)
            }
            return nil
        }
        defer { freeReplyObject(reply) }
        return Self.value(of: reply.assumingMemoryBound(to: redisReply.self))
    }

    private var failure: Failure {
        guard let reader = self.reader else { return .malformed("out of memory") }
        // A C string in a fixed array, which ends with a zero.
        return .malformed(
            withUnsafeBytes(of: reader.pointee.errstr) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
        )
    }

    /// Copies a reply; hiredis lets arrays nest seven deep at most.
    private static func value(of reply: UnsafePointer<redisReply>) -> RESPValue {
        let value = reply.pointee
        switch value.type {
        case REDIS_REPLY_INTEGER: return .integer(Int(value.integer))
        case REDIS_REPLY_STRING: return Self.string(of: value)
        case REDIS_REPLY_STATUS: return .status(Self.text(of: value))
        case REDIS_REPLY_ERROR: return .error(Self.text(of: value))
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: value.element, count: value.element == nil ? 0 : value.elements)
            return .array(elements.map { $0.map { Self.value(of: $0) } ?? .null })
        default: return .null
        }
    }

    private static func string(of reply: redisReply) -> RESPValue {
        guard let start = reply.str else { return .string("") }
        let bytes = UnsafeBufferPointer(
            start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self),
            count: Int(reply.len)
        )
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .bytes(Array(bytes))
    }

    private static func text(of reply: redisReply) -> String {
        guard let start = reply.str else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: Int(reply.len)), as: UTF8.self)
    }
}

#endif
