// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

/// What OPEN carries beside its numbers (docs/protocol.md §B.4.2).
@Suite("Metadata of OPEN")
struct OpenMetadataTests {
    private static let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private func entries(traceparent: String) -> [TypeLengthValue] {
        [
            TypeLengthValue(id: 0x0001, value: ByteBuffer(string: "web")),
            TypeLengthValue(id: 0x0006, value: ByteBuffer(string: traceparent)),
        ]
    }

    @Test("TRACEPARENT of 55 ASCII bytes is taken")
    func traceparent() throws {
        let metadata = try OpenMetadata(entries: self.entries(traceparent: Self.traceparent))
        #expect(metadata.traceparent == Self.traceparent)
    }

    @Test(
        "TRACEPARENT of another length, or of other text than ASCII, is refused",
        arguments: [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-010",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ]
    )
    func badTraceparent(_ text: String) {
        #expect(throws: MetadataFault.self) {
            try OpenMetadata(entries: self.entries(traceparent: text))
        }
    }

    @Test("TRACEPARENT that would be refused is left out of OPEN")
    func unsendableTraceparent() throws {
        var metadata = OpenMetadata(target: "web")
        metadata.traceparent = String(Self.traceparent.dropLast(2)) + "é"
        var message = ByteBuffer()
        FrameEncoder.encode(
            .open(StreamID(rawValue: 2), OpenFrame(kind: .http, window: 0, metadata: metadata)),
            into: &message
        )
        var decoder = FrameDecoder(message: message)
        guard case .open(_, let open)? = try decoder.next() else {
            Issue.record("no OPEN")
            return
        }
        #expect(try open.metadata.get() == OpenMetadata(target: "web"))
    }
}
