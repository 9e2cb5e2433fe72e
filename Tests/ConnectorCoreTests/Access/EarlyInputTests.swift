// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import ConnectorCore

@Suite("What a local connection brings before there is a stream")
struct EarlyInputTests {
    /// Notes what reaches it.
    private final class Notes: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var events: [String] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.events.append(String(buffer: self.unwrapInboundIn(data)))
        }

        func channelReadComplete(context: ChannelHandlerContext) { self.events.append("complete") }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { self.events.append("end") }
        }
    }

    private func bring(_ parts: [String], end: Bool, to channel: EmbeddedChannel) throws {
        for part in parts { try channel.writeInbound(ByteBuffer(string: part)) }
        if end { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    }

    @Test("Bytes and the end reach the handler that comes later, once and in order, also an end without a byte")
    func kept() throws {
        for parts in [[], ["one"], ["one", "two"]] {
            let channel = EmbeddedChannel()
            try channel.pipeline.syncOperations.addHandler(EarlyInput())
            try self.bring(parts, end: true, to: channel)
            let notes = Notes()
            try channel.pipeline.syncOperations.addHandler(notes)
            #expect(notes.events == [])
            try EarlyInput.release(of: channel)
            #expect(notes.events == parts + (parts.isEmpty ? [] : ["complete"]) + ["end"])
            try EarlyInput.release(of: channel)
            #expect(notes.events.count { $0 == "end" } == 1)
        }
    }

    @Test("What comes afterwards passes straight through")
    func afterwards() throws {
        let notes = Notes()
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(EarlyInput(), notes)
        try self.bring(["early"], end: false, to: channel)
        try EarlyInput.release(of: channel)
        try self.bring(["late"], end: true, to: channel)
        #expect(notes.events == ["early", "complete", "late", "complete", "end"])
    }
}
