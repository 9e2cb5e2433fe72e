// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol

@testable import Mux

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The other end of a real socket as plain bytes: a WebSocket client that says what the test wants it to.
struct RawPeer {
    let channel: any Channel
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var decoder = WebSocketDecoder(isServer: false, maximumMessage: 1 << 20)
    private var encoder = WebSocketEncoder(isClient: true, seed: 1)
    private var frames: [Frame] = []
    /// The code of the Close frame, once one came.
    private(set) var closeCode: UInt16?

    /// Connects to a victim, runs the body, and closes.
    static func run<Value: Sendable>(
        against victim: Victim,
        _ body: (inout RawPeer, Victim.Guarded) async throws -> Value
    ) async throws -> Value {
        guard let address = victim.address else { throw UnexpectedOutput() }
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let guarded = await victim.nextSession()
        return try await channel.executeThenClose { inbound, outbound in
            var peer = RawPeer(
                channel: channel.channel,
                outbound: outbound,
                inbound: inbound.makeAsyncIterator()
            )
            return try await body(&peer, guarded)
        }
    }

    private init(
        channel: any Channel,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    ) {
        self.channel = channel
        self.outbound = outbound
        self.inbound = inbound
    }

    // MARK: Sending

    /// Sends HELLO.
    mutating func greet(_ change: (inout SessionSettings) -> Void = { _ in }) async throws {
        var settings = SessionSettings()
        change(&settings)
        try await self.send(.hello(HelloFrame(role: .connector, settings: settings)))
    }

    /// Sends frames as one message.
    mutating func send(_ frames: Frame...) async throws {
        try await self.send(frames)
    }

    mutating func send(_ frames: [Frame]) async throws {
        var message = ByteBuffer()
        for frame in frames { FrameEncoder.encode(frame, into: &message) }
        try await self.send(.binary, message)
    }

    /// Sends one WebSocket frame.
    mutating func send(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) async throws {
        var bytes = ByteBuffer()
        self.encoder.encode(opcode, payload, into: &bytes)
        try await self.send(bytes: bytes)
    }

    /// Sends bytes as they are.
    func send(bytes: ByteBuffer) async throws {
        try await self.outbound.write(bytes)
    }

    /// Reads nothing from the socket any more.
    func stopReading() async throws {
        try await self.channel.setOption(.autoRead, value: false).get()
    }

    // MARK: Receiving

    /// The next frame, without grease; `nil` when the connection ends.
    mutating func nextFrame() async throws -> Frame? {
        while self.frames.isEmpty {
            switch try self.decoder.next() {
            case .binary(let message):
                var decoder = FrameDecoder(message: message)
                // A HELLO with a time-out shorter than the protocol allows is one that a test asked for.
                while let frame = try? decoder.next() {
                    if !frame.isExtension { self.frames.append(frame) }
                }
            case .close(let code, _):
                self.closeCode = code?.rawValue
                try? await self.send(.close, ByteBuffer())
            case .text, .ping, .pong: break
            case nil:
                do {
                    guard let bytes = try await self.inbound.next() else { return nil }
                    self.decoder.append(bytes)
                } catch is IOError {
                    // Reset because it had bytes left for us or we for it: as good as an end here.
                    return nil
                }
            }
        }
        return self.frames.removeFirst()
    }

    /// The next frame for which the body gives something.
    @discardableResult
    mutating func next<Value>(_ body: (Frame) -> Value?) async throws -> Value {
        while let frame = try await self.nextFrame() {
            if let value = body(frame) { return value }
        }
        throw ChannelError.eof
    }

    /// Waits for the answer to a PING, answering none itself.
    mutating func ping(_ number: UInt64) async throws {
        try await self.send(.ping(number))
        try await self.next { $0 == .pong(number) ? () : nil }
    }

    /// Reads to the end of the connection; what GOAWAY said on the way.
    mutating func untilEnd() async throws -> GoAwayFrame? {
        var goAway: GoAwayFrame?
        while let frame = try await self.nextFrame() {
            if case .goAway(let frame) = frame { goAway = frame }
        }
        return goAway
    }

    /// Opens a stream, sends bytes and FIN, and checks that they come back.
    mutating func echoes(_ id: StreamID, _ bytes: ByteBuffer = ByteBuffer(string: "still there")) async throws -> Bool {
        try await self.send(.opening(id), .data(id, bytes, isLast: true))
        var answer = ByteBuffer()
        while let frame = try await self.nextFrame() {
            guard case .data(id, let payload, let isLast) = frame else { continue }
            answer.writeImmutableBuffer(payload)
            if isLast { return answer == bytes }
        }
        return false
    }
}

/// How much memory the process has, in bytes; zero under a sanitizer, which keeps what is freed.
func residentBytes() -> Int {
    #if os(Linux)
    guard getenv("CULVERT_SANITIZER") == nil else { return 0 }
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
    #else
    return 0
    #endif
}
