// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ConnectorCore

@Suite("Changes of the network", .timeLimit(.minutes(1)))
struct NetworkWatchTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("Everybody who has subscribed is told until the subscription ends")
    func subscriptions() {
        let watch = NetworkWatch()
        let told = NIOLockedValueBox<[String]>([])
        let first = watch.subscribe { told.withLockedValue { $0.append("first") } }
        let second = watch.subscribe { told.withLockedValue { $0.append("second") } }
        watch.notify()
        #expect(told.withLockedValue { $0.sorted() } == ["first", "second"])
        watch.cancel(first)
        watch.notify()
        watch.cancel(second)
        watch.notify()
        #expect(told.withLockedValue { $0.count } == 3)
    }

    #if os(Linux)
    /// One message of the kernel.
    private func message(_ type: UInt16, _ body: [UInt8], length: UInt32? = nil) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(length ?? UInt32(16 + body.count), endianness: .host)
        buffer.writeInteger(type, endianness: .host)
        buffer.writeRepeatingByte(0, count: 10)
        buffer.writeBytes(body)
        buffer.writeRepeatingByte(0, count: (4 - body.count % 4) % 4)
        return Array(buffer.readableBytesView)
    }

    private func address(scope: UInt8) -> [UInt8] { [2, 24, 0, scope, 1, 0, 0, 0] }

    private func link(_ index: UInt8, flags: UInt32) -> [UInt8] {
        let flags = withUnsafeBytes(of: flags) { Array($0) }
        return [0, 0, 1, 0, index, 0, 0, 0] + flags + [0, 0, 0, 0]
    }

    @Test("Addresses that others can reach matter when they come and go, those of this machine and link do not")
    func addresses() {
        var messages = NetlinkMessages()
        #expect(messages.receive(ByteBuffer(bytes: self.message(20, self.address(scope: 0)))) == true)
        #expect(messages.receive(ByteBuffer(bytes: self.message(21, self.address(scope: 200)))) == true)
        for scope in [253, 254] as [UInt8] {
            #expect(messages.receive(ByteBuffer(bytes: self.message(20, self.address(scope: scope)))) == false)
        }
        let both = self.message(20, self.address(scope: 254)) + self.message(20, self.address(scope: 0))
        #expect(messages.receive(ByteBuffer(bytes: both)) == true)
    }

    @Test("A link matters when it comes up or goes down, not when it is told of again")
    func links() {
        var messages = NetlinkMessages()
        let table: [(type: UInt16, index: UInt8, flags: UInt32, matters: Bool)] = [
            (16, 2, 0x1, false), (16, 2, 0x41, true), (16, 2, 0x41, false), (16, 3, 0x41, true), (16, 2, 0x1, true),
            (16, 2, 0x0, false), (17, 2, 0x0, false), (17, 3, 0x41, true), (16, 1, 0x49, false), (24, 2, 0x41, false),
        ]
        for (step, row) in table.enumerated() {
            let matters = messages.receive(
                ByteBuffer(bytes: self.message(row.type, self.link(row.index, flags: row.flags)))
            )
            #expect(matters == row.matters, "step \(step)")
        }
    }

    @Test("What can't be read counts as a change, whatever its bytes are")
    func malformed() {
        var messages = NetlinkMessages()
        #expect(messages.receive(ByteBuffer(bytes: [1, 2, 3])) == true)
        #expect(messages.receive(ByteBuffer(bytes: self.message(20, [2, 24]))) == true)
        #expect(messages.receive(ByteBuffer(bytes: self.message(16, [0, 0], length: 4))) == true)
        #expect(messages.receive(ByteBuffer(bytes: self.message(16, [0, 0], length: .max))) == true)
        #expect(messages.receive(ByteBuffer(bytes: self.message(16, [], length: 0))) == true)
        #expect(messages.receive(ByteBuffer()) == false)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...80)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            _ = messages.receive(ByteBuffer(bytes: bytes))
        }
    }

    @Test("More links than are remembered cost reports, not memory")
    func manyLinks() {
        var messages = NetlinkMessages()
        for round in 0..<3 {
            for index in 0..<NetlinkMessages.linkLimit {
                var body = self.link(0, flags: 0x41)
                body.replaceSubrange(4..<8, with: withUnsafeBytes(of: Int32(index + 1_000 * round)) { Array($0) })
                #expect(messages.receive(ByteBuffer(bytes: self.message(16, body))) == true)
                #expect(messages.rememberedLinks <= NetlinkMessages.linkLimit)
            }
        }
    }

    @Test("The kernel tells of an address that is added to this machine")
    func kernel() async throws {
        // An address for documentation (RFC 5737), of no use to anybody.
        let address = "192.0.2.77/32"
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self)
        let socket = try await NetlinkMonitor.open { continuation.yield() }
        if let problem = Self.ip("addr", "add", address, "dev", "lo") {
            print("Not run, the addresses of this machine can't be changed: \(problem)")
        } else {
            for await _ in changes { break }
            _ = Self.ip("addr", "del", address, "dev", "lo")
        }
        try await socket.close()
    }

    /// Runs ip(8); what went wrong, if anything.
    private static func ip(_ arguments: String...) -> String? {
        let path = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].first(where: FileManager.default.isExecutableFile)
        guard let path else { return "there is no ip(8)" }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardError = output
        do { try process.run() } catch { return "\(error)" }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? nil : text
    }
    #endif
}
