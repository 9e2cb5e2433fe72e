// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import ConnectorCore

@Suite("The local server at the start of a run", .timeLimit(.minutes(1)))
struct OriginWatchTests {
    private func target(_ port: Int) -> OriginTarget {
        OriginTarget(endpoint: .tcp(host: "localhost", port: port), usesTLS: false)
    }

    @Test("A server that is away is told once, with what to do, and once more when it answers")
    func away() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        let port = origin.port
        try await origin.listener.close()
        let (events, told) = AsyncStream.makeStream(of: OriginEvent.self)
        let observer = OriginObserver { told.yield($0) }.once()
        let watch = OriginWatch(target: self.target(port), report: observer.report)
        await watch.run()
        await watch.run()
        var iterator = events.makeAsyncIterator()
        #expect(
            await iterator.next()
                == .unreachable(
                    target: "http://localhost:\(port)",
                    code: .connectRefused,
                    reason: "nothing listens on localhost:\(port): start the local server, or name the port that it "
                        + "listens on"
                )
        )
        #expect(observer.isUnreachable?() == true)
        let back = try await LocalOrigin.start(.swallow, port: port)
        await watch.run()
        #expect(await iterator.next() == .reachable(target: "http://localhost:\(port)"))
        #expect(observer.isUnreachable?() == false)
        try await back.listener.close()
    }

    @Test("A server that is there is no event")
    func there() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        let events = NIOLockedValueBox<[OriginEvent]>([])
        let observer = OriginObserver { event in events.withLockedValue { $0.append(event) } }.once()
        await OriginWatch(target: self.target(origin.port), report: observer.report).run()
        #expect(events.withLockedValue { $0 } == [])
        try await origin.listener.close()
    }
}
