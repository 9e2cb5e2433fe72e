// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("Waiting for what changes in a ring", .timeLimit(.minutes(1)))
struct ChangeFeedTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func begin(_ ring: CaptureRing) throws -> ExchangeCapture {
        try #require(ring.begin(ExchangeOrigin(tunnel: "my-app", connection: 1), head: [], at: Self.start))
    }

    @Test("Who asks after something has changed need not wait, and waits once that is taken")
    func doesNotWait() async throws {
        let ring = CaptureRing()
        let feed = ring.watch()
        _ = try Self.begin(ring)
        #expect(await !feed.changed())
        #expect(await !feed.changed(), "it was not taken")
        #expect(feed.take().changed.count == 1)
        ring.notify()
        #expect(await !feed.changed())
        #expect(feed.take().isEmpty)
        async let hasWaited = feed.changed()
        while ring.waitingReaders == 0 { await Task.yield() }
        feed.wake()
        #expect(await hasWaited && ring.waitingReaders == 0 && feed.take().isEmpty)
    }

    /// What wakes a reader.
    enum Cause: CaseIterable {
        case begin, end, remove, clear, notice
    }

    @Test("A reader that waits goes on at every kind of change, and so do all others", arguments: Cause.allCases)
    func wakes(_ cause: Cause) async throws {
        let ring = CaptureRing()
        let (old, open) = (try Self.begin(ring), try Self.begin(ring))
        old.ended(.complete, at: Self.start)
        let feeds = (0..<3).map { _ in ring.watch() }
        await withTaskGroup(of: Bool.self) { group in
            for feed in feeds { group.addTask { await feed.changed() } }
            while ring.waitingReaders < feeds.count { await Task.yield() }
            switch cause {
            case .begin: _ = try? Self.begin(ring)
            case .end: open.ended(.failed("x"), at: Self.start)
            case .remove: #expect(ring.remove(old.id))
            case .clear: ring.clear()
            case .notice: ring.notify()
            }
            for await hasWaited in group { #expect(hasWaited) }
        }
        #expect(ring.waitingReaders == 0)
        #expect(feeds.allSatisfy { $0.take().isEmpty == (cause == .notice) })
    }

    @Test("A task that is cancelled waits no longer, whenever that is")
    func isCancelled() async throws {
        let ring = CaptureRing()
        let feed = ring.watch()
        let early = Task { await feed.changed() }
        early.cancel()
        _ = await early.value
        let late = Task { await feed.changed() }
        while ring.waitingReaders == 0 { await Task.yield() }
        late.cancel()
        #expect(await late.value && ring.waitingReaders == 0)
    }

    @Test("No change is lost between a look and the wait for the next one, on many threads")
    func race() async throws {
        let ring = CaptureRing()
        let feed = ring.watch()
        let number = 500
        let writer = Task {
            for _ in 0..<number {
                try Self.begin(ring).ended(.complete, at: Self.start)
                await Task.yield()
            }
        }
        var seen: Set<CaptureID> = []
        while seen.count < number {
            _ = await feed.changed()
            seen.formUnion(feed.take().changed.map(\.id))
        }
        try await writer.value
    }
}
