// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Protocol

@Suite("A token in OPEN")
struct TokenMetadataTests {
    private func coded(_ metadata: OpenMetadata) throws -> OpenMetadata {
        var payload = ByteBuffer()
        metadata.write(into: &payload)
        return try OpenMetadata(entries: payload.readTypeLengthValues())
    }

    @Test("it comes back as it was, up to the longest that OPEN has room for", arguments: [1, 500, 7_680])
    func roundTrip(length: Int) throws {
        var metadata = OpenMetadata(target: String(repeating: "t", count: 63))
        metadata.token = String(repeating: "x", count: length)
        #expect(try self.coded(metadata) == metadata)
        var frame = ByteBuffer()
        FrameEncoder.encode(
            .open(StreamID(rawValue: 1), OpenFrame(kind: .tunnel, window: 0, metadata: metadata)),
            into: &frame
        )
        var decoder = FrameDecoder(message: frame)
        #expect(try decoder.next() != nil)
    }

    @Test(
        "one that is too long, empty or not ASCII is left out",
        arguments: [String(repeating: "x", count: 7_681), "", "ä"]
    )
    func leftOut(token: String) throws {
        var metadata = OpenMetadata(target: "t")
        metadata.token = token
        #expect(try self.coded(metadata).token == nil)
    }

    @Test(
        "one that is empty, too long or not ASCII is refused",
        arguments: [[], Array(repeating: 0x78, count: 7_681), [0xC3, 0xA4]]
    )
    func refused(value: [UInt8]) {
        let target = TypeLengthValue(id: 0x0001, value: ByteBuffer(string: "t"))
        let token = TypeLengthValue(id: 0x0009, value: ByteBuffer(bytes: value))
        #expect(throws: MetadataFault.self) { try OpenMetadata(entries: [target, token]) }
    }
}
