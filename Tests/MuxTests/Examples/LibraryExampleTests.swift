// SPDX-License-Identifier: Apache-2.0
import Foundation
import Mux
import NIOCore
import NIOPosix
import Protocol
import Testing

/// The example of docs/library.md is compiled here, does what the page says, and is what the page shows.
@Suite("The example of the library's page")
struct LibraryExampleTests {
    @Test("a question comes back in capitals")
    func shouting() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await startShouting(on: group)
        let address = try #require(server.localAddress)
        #expect(try await ask("is anybody there?", at: address, on: group) == "IS ANYBODY THERE?")
        try await server.close()
    }

    @Test("a message is described frame by frame, up to what is wrong with it")
    func description() {
        let stream = StreamID(rawValue: 2)
        var message = ByteBuffer()
        FrameEncoder.encode(
            .open(stream, OpenFrame(kind: .tcp, window: 65_536, metadata: OpenMetadata(target: "shout"))),
            into: &message
        )
        FrameEncoder.encode(.data(stream, ByteBuffer(string: "hello"), isLast: true), into: &message)
        FrameEncoder.encode(.reset(stream, .cancelled, reason: "enough"), into: &message)
        message.writeInteger(UInt64(0))
        #expect(
            describe(message) == [
                "stream 2 is opened to shout", "5 bytes on stream 2, the last", "stream 2 is reset: CANCELLED enough",
                "the session ends: PROTOCOL_ERROR: data on stream 0",
            ]
        )
    }

    @Test("the page shows the code that is compiled here")
    func page() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let source = try String(contentsOf: folder.appendingPathComponent("LibraryExample.swift"), encoding: .utf8)
        let root = folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/library.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```swift\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }
        let code = source.components(separatedBy: "\n").dropFirst().joined(separator: "\n")
        #expect(blocks.contains(code), "docs/library.md and Tests/MuxTests/Examples/LibraryExample.swift differ")
    }
}
