// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import HTTPTypes
import Hummingbird
import Inspection
import NIOCore
import Synchronization

/// The stream of events that a page follows (server-sent events).
///
/// It is written at the reader's pace: a feed holds ids, so a reader that stops reading costs what the ring is bounded to.
struct InspectorEvents: Sendable {
    let routes: InspectorRoutes

    /// The most streams at a time.
    static let maximum = 64
    /// How soon a change is sent after nothing has changed for a while: most exchanges are over by then.
    private static let settling = Duration.milliseconds(100)
    /// How much time is between what is sent while one change follows another.
    private static let pace = Duration.milliseconds(500)
    /// How often numbers are sent that change with everything that passes, and round-trip times are asked for.
    private static let refreshing = Duration.seconds(5)
    /// How long a stream is silent at most: then a comment is sent.
    private static let silence = Duration.seconds(15)
    /// The most summaries in one event.
    private static let batch = 50

    /// The right to one stream, as long as it is held: an answer that is never written gives it back, too.
    private final class Place: Sendable {
        private static let taken = Atomic<Int>(0)

        /// Takes one of the places; `nil` if none is free.
        static func take() -> Place? {
            guard self.taken.add(1, ordering: .relaxed).newValue <= InspectorEvents.maximum else {
                self.taken.subtract(1, ordering: .relaxed)
                return nil
            }
            return Place()
        }

        deinit {
            Self.taken.subtract(1, ordering: .relaxed)
        }
    }

    /// Begins a stream.
    func answer() throws -> Response {
        guard let place = Place.take() else {
            throw ProblemDetails.inspector(429, "busy", "Too many pages follow this inspector: close some of them.")
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream"],
            body: ResponseBody { writer in
                try await self.run(&writer)
                try await writer.finish(nil)
                withExtendedLifetime(place) {}
            }
        )
    }

    private func run(_ writer: inout any ResponseBodyWriter) async throws {
        let directory = self.routes.inspection.directory
        let feed = self.routes.inspection.ring.watch()
        let clock = ContinuousClock()
        // Whatever the reader has seen before, it looks again: nothing is missed between its list and this stream.
        var text = try Self.event("reset", [String: String]())
        var version = directory.version
        var status = self.routes.status
        text.writeImmutableBuffer(try Self.event("status", status))
        var tunnels = self.routes.tunnels
        text.writeImmutableBuffer(try Self.event("tunnels", tunnels))
        try await writer.write(text)
        directory.measure()
        var written = clock.now
        var refreshed = written
        async let waking: Void = Self.wake(feed)
        while !Task.isCancelled {
            // Nothing is done while nothing changes.
            let hasWaited = await feed.changed()
            if hasWaited { try await Task.sleep(for: Self.settling) }
            let now = clock.now
            text = try await self.changes(feed.take(), &writer)
            let isDue = now - refreshed >= Self.refreshing
            if isDue {
                refreshed = now
                directory.measure()
                let new = self.routes.status
                if new != status { text.writeImmutableBuffer(try Self.event("status", new)) }
                status = new
            }
            let newVersion = directory.version
            if isDue || newVersion != version {
                version = newVersion
                let new = self.routes.tunnels
                if new != tunnels { text.writeImmutableBuffer(try Self.event("tunnels", new)) }
                tunnels = new
            }
            if text.readableBytes == 0, now - written >= Self.silence { text.writeString(": still here\n\n") }
            if text.readableBytes > 0 {
                try await writer.write(text)
                written = now
            } else if hasWaited {
                continue
            }
            try await Task.sleep(for: Self.pace)
        }
        await waking
    }

    /// Writes what has changed of exchanges, but for the end of it, which is given back.
    private func changes(
        _ changes: ChangeFeed.Changes,
        _ writer: inout any ResponseBodyWriter
    ) async throws -> ByteBuffer {
        var text = ByteBuffer()
        if changes.isReset { text.writeImmutableBuffer(try Self.event("reset", [String: String]())) }
        if !changes.removed.isEmpty {
            text.writeImmutableBuffer(try Self.event("removed", IDsAnswer(changes.removed)))
        }
        let changed = changes.changed.sorted { $0.id < $1.id }
        for start in stride(from: 0, to: changed.count, by: Self.batch) {
            if start > 0 {
                // Waits for the reader: no more than one batch is held for one that has stopped.
                try await writer.write(text)
                text = ByteBuffer()
                // Calls have their turn, however many readers follow.
                await Task.yield()
            }
            let batch = changed[start..<min(start + Self.batch, changed.count)]
            text.writeStaticString("event: requests\ndata: ")
            ExchangeSummary.write(batch.lazy.map { ExchangeSummary(ExchangeView($0.snapshot())) }, to: &text)
            text.writeStaticString("\n\n")
        }
        return text
    }

    /// Lets a reader that waits for changes look at the time now and then, until the task is cancelled.
    private static func wake(_ feed: ChangeFeed) async {
        while (try? await Task.sleep(for: self.refreshing)) != nil { feed.wake() }
    }

    private static func event(_ name: String, _ value: some Encodable) throws -> ByteBuffer {
        var text = ByteBuffer(string: "event: \(name)\ndata: ")
        text.writeImmutableBuffer(try InspectorJSON.buffer(value))
        text.writeString("\n\n")
        return text
    }
}
