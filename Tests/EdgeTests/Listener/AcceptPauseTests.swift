// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import Edge

@Suite("A listener without descriptors")
struct AcceptPauseTests {
    private func channel() -> EmbeddedChannel {
        EmbeddedChannel(handler: AcceptPause(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    private func reads(_ channel: EmbeddedChannel) -> [Bool] {
        channel.options.compactMap { $0.option is ChannelOptions.Types.AutoReadOption ? $0.value as? Bool : nil }
    }

    @Test("It accepts nothing for a moment, and then again", arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func exhausted(code: CInt) throws {
        let channel = self.channel()
        for _ in 0..<3 { channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept")) }
        #expect(self.reads(channel) == [false])
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
        #expect(self.reads(channel) == [true])
        channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        #expect(self.reads(channel) == [false])
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
        _ = try channel.finish()
    }

    @Test("A connection that was given up before it was accepted stops nobody", arguments: [ECONNABORTED, EPERM])
    func aborted(code: CInt) throws {
        let channel = self.channel()
        channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        #expect(self.reads(channel).isEmpty)
        _ = try channel.finish()
    }
}
