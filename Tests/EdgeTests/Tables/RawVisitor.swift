// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Program
import Protocol

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// What an edge answered to one request.
struct RawAnswer: Sendable {
    var status: Int
    var fields: [(name: String, value: String)]
    var body: String

    subscript(name: String) -> String? {
        self.fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The details of an error of the control API.
    var problem: ProblemDetails? {
        try? APICoding.makeDecoder().decode(ProblemDetails.self, from: Data(self.body.utf8))
    }
}

/// A connection on which a test writes the bytes of a visitor.
struct RawVisitor: Sendable {
    /// What a test waited for did not come.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let channel: any Channel
    private let received: NIOLockedValueBox<String>

    static func connect(to address: ListenAddress) async throws -> RawVisitor {
        let received = NIOLockedValueBox("")
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Inbox(received))
                }
            }
            .connect(host: address.host, port: address.port)
            .get()
        return RawVisitor(channel: channel, received: received)
    }

    /// Whether the edge has closed the connection.
    var isClosed: Bool { !self.channel.isActive }

    func send(_ text: String) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(string: text))
    }

    func close() async throws { try await self.channel.close() }

    /// The next final answer, once it is complete.
    func answer(within limit: TimeAmount = .seconds(20)) async throws -> RawAnswer {
        let deadline = NIODeadline.now() + limit
        while NIODeadline.now() < deadline {
            let isAtEnd = self.isClosed
            if let answer = self.received.withLockedValue({ Self.take(&$0, isAtEnd: isAtEnd) }) { return answer }
            if isAtEnd { break }
            try await Task.sleep(for: .milliseconds(2))
        }
        let rest = self.received.withLockedValue { $0 }
        throw Failure(description: "no answer, \(self.isClosed ? "closed" : "open") after: \(rest)")
    }

    /// What came, once it ends in a text.
    func text(until end: String, within limit: TimeAmount = .seconds(20)) async throws -> String {
        let deadline = NIODeadline.now() + limit
        while true {
            let text = self.received.withLockedValue { $0 }
            if text.hasSuffix(end) { return text }
            guard !self.isClosed, NIODeadline.now() < deadline else {
                throw Failure(description: "no \(end) in: \(text)")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits until the edge closes the connection.
    func end(within limit: TimeAmount = .seconds(20)) async throws {
        let deadline = NIODeadline.now() + limit
        while !self.isClosed {
            guard NIODeadline.now() < deadline else { throw Failure(description: "the connection is still open") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Takes a whole answer off the front of what came; interim answers are dropped.
    private static func take(_ text: inout String, isAtEnd: Bool) -> RawAnswer? {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        if status < 200, status != 101 {
            text = String(text[end.upperBound...])
            return Self.take(&text, isAtEnd: isAtEnd)
        }
        var answer = RawAnswer(status: status, fields: [], body: "")
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            answer.fields.append((String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)))
        }
        let rest = text[end.upperBound...]
        if let length = answer["Content-Length"].flatMap({ Int($0) }) ?? (status == 204 ? 0 : nil) {
            guard rest.utf8.count >= length else { return nil }
            let body = rest.utf8.prefix(length)
            answer.body = String(decoding: body, as: UTF8.self)
            text = String(decoding: rest.utf8.dropFirst(length), as: UTF8.self)
        } else if status == 101 {
            text = String(rest)
        } else {
            guard isAtEnd else { return nil }
            answer.body = String(rest)
            text = ""
        }
        return answer
    }
}

/// Keeps what comes.
private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: NIOLockedValueBox<String>

    init(_ received: NIOLockedValueBox<String>) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: self.unwrapInboundIn(data))
        self.received.withLockedValue { $0 += text }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
