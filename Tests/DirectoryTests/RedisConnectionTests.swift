// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import Redis

/// The connection alone, with a clock that the test moves.
@Suite("A connection to Redis")
struct RedisConnectionTests {
    private let loop: EmbeddedEventLoop
    private let channel: EmbeddedChannel
    private let connection: RedisConnection

    init() throws {
        self.loop = EmbeddedEventLoop()
        self.connection = RedisConnection(timeout: .seconds(1), ended: self.loop.makePromise(of: RedisError.self))
        self.channel = EmbeddedChannel(handler: self.connection, loop: self.loop)
        try self.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 6379)).wait()
    }

    /// The commands that were sent since the last call.
    private func sent() throws -> [String] {
        var commands: [String] = []
        while let bytes = try self.channel.readOutbound(as: ByteBuffer.self) {
            let lines = String(buffer: bytes).split(separator: "\r\n")
            commands.append(lines.filter { !$0.hasPrefix("*") && !$0.hasPrefix("$") }.joined(separator: " "))
        }
        return commands
    }

    private func answer(_ text: String) throws {
        try self.channel.writeInbound(ByteBuffer(string: text))
    }

    @Test("A server that says nothing is asked once a second whether it is there")
    func asked() throws {
        for _ in 0..<10 {
            self.loop.advanceTime(by: .milliseconds(999))
            #expect(try self.sent() == [])
            self.loop.advanceTime(by: .milliseconds(1))
            #expect(try self.sent() == ["PING"])
            try self.answer("+PONG\r\n")
        }
        #expect(self.channel.isActive)
        self.connection.close(.lost("the test is over"))
    }

    @Test("A server that answers other commands is not asked")
    func busy() throws {
        for _ in 0..<20 {
            self.loop.advanceTime(by: .milliseconds(500))
            _ = self.connection.send(["GET", "a"])
            #expect(try self.sent() == ["GET a"])
            try self.answer("$-1\r\n")
        }
        self.connection.close(.lost("the test is over"))
    }

    @Test("A frozen server is given up within two seconds and a quarter of its last answer")
    func frozen() throws {
        self.loop.advanceTime(by: .milliseconds(1_999))
        #expect(try self.sent() == ["PING"])
        let end = self.connection.whenEnded
        #expect(self.channel.isActive)
        self.loop.advanceTime(by: .milliseconds(251))
        #expect(!self.channel.isActive)
        #expect(try end.wait() == .timedOut)
    }
}
