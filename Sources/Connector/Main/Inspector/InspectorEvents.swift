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
    /// How often what has changed is sent.
    private static let pace = Duration.milliseconds(250)
    /// After how many silent rounds a comment is sent.
    private static let silence = 60
    /// After how many rounds the round-trip times are asked for.
    private static let measuring = 8
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
        let ring = self.routes.inspection.ring
        let directory = self.routes.inspection.directory
        let feed = ring.watch()
        // Whatever the reader has seen before, it looks again: nothing is missed between its list and this stream.
        try await writer.write(Self.event("reset", [String: String]()))
        var status = self.routes.status
        try await writer.write(Self.event("status", status))
        var tunnels = self.routes.tunnels
        try await writer.write(Self.event("tunnels", tunnels))
        var round = 0
        var silent = 0
        while !Task.isCancelled {
            try await Task.sleep(for: Self.pace)
            round += 1
            if round % Self.measuring == 0 { directory.measure() }
            var text = ByteBuffer()
            let changes = feed.take()
            if changes.isReset { text.writeImmutableBuffer(try Self.event("reset", [String: String]())) }
            if !changes.removed.isEmpty {
                text.writeImmutableBuffer(try Self.event("removed", IDsAnswer(changes.removed)))
            }
            var isSilent = changes.isEmpty
            let changed = changes.changed.sorted { $0.id < $1.id }
            for start in stride(from: 0, to: changed.count, by: Self.batch) {
                let batch = changed[start..<min(start + Self.batch, changed.count)]
                text.writeStaticString("event: requests\ndata: ")
                ExchangeSummary.write(batch.lazy.map { ExchangeSummary(ExchangeView($0.snapshot())) }, to: &text)
                text.writeStaticString("\n\n")
                // Waits for the reader: no more than one batch is held for one that has stopped.
                try await writer.write(text)
                text = ByteBuffer()
                // Calls have their turn, however many readers follow.
                await Task.yield()
            }
            if round % 4 == 0 {
                let newStatus = self.routes.status
                if newStatus != status {
                    status = newStatus
                    text.writeImmutableBuffer(try Self.event("status", status))
                }
                let newTunnels = self.routes.tunnels
                if newTunnels != tunnels {
                    tunnels = newTunnels
                    text.writeImmutableBuffer(try Self.event("tunnels", tunnels))
                }
            }
            isSilent = isSilent && text.readableBytes == 0
            silent = isSilent ? silent + 1 : 0
            if silent >= Self.silence {
                silent = 0
                text.writeString(": still here\n\n")
            }
            if text.readableBytes > 0 { try await writer.write(text) }
        }
    }

    private static func event(_ name: String, _ value: some Encodable) throws -> ByteBuffer {
        var text = ByteBuffer(string: "event: \(name)\ndata: ")
        text.writeImmutableBuffer(try InspectorJSON.buffer(value))
        text.writeString("\n\n")
        return text
    }
}
