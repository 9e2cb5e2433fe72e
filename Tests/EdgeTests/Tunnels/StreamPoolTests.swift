// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeTunnels

@Suite("Idle connections to an origin")
struct StreamPoolTests {
    private final class Stream: IdleStream {
        var isReusable = true
        private(set) var isDiscarded = false

        func discard() { self.isDiscarded = true }
    }

    private let loop = EmbeddedEventLoop()

    @Test("What is bound to a key is given to who has it, once, and to nobody else")
    func bound() {
        let pool = StreamPool(eventLoop: self.loop)
        let stream = Stream()
        pool.park(stream, boundTo: 1)
        #expect(pool.take() == nil)
        #expect(pool.take(boundTo: 2) == nil)
        #expect(pool.take(boundTo: 1) === stream)
        #expect(pool.take(boundTo: 1) == nil)
        pool.park(stream, boundTo: 1)
        stream.isReusable = false
        #expect(pool.take(boundTo: 1) == nil)
    }

    @Test("A bound connection ends when its key is given up, another takes its place, or the session closes")
    func discarded() {
        let pool = StreamPool(eventLoop: self.loop)
        let streams = (0..<4).map { _ in Stream() }
        pool.park(streams[0], boundTo: 1)
        pool.park(streams[1], boundTo: 1)
        #expect(streams[0].isDiscarded)
        pool.discard(boundTo: 1)
        #expect(streams[1].isDiscarded)
        pool.park(streams[2], boundTo: 1)
        // One that has ended by itself takes nobody else's place with it.
        pool.remove(streams[1], boundTo: 1)
        pool.close()
        #expect(streams[2].isDiscarded)
        pool.park(streams[3], boundTo: 2)
        #expect(streams[3].isDiscarded)
    }

    @Test("Room is made by a connection that all may use before one that is bound")
    func room() {
        let pool = StreamPool(eventLoop: self.loop)
        let (shared, bound) = (Stream(), Stream())
        pool.park(bound, boundTo: 1)
        pool.park(shared)
        #expect(pool.giveUpOldest())
        #expect(shared.isDiscarded && !bound.isDiscarded)
        #expect(pool.giveUpOldest())
        #expect(bound.isDiscarded)
        #expect(!pool.giveUpOldest())
    }
}
