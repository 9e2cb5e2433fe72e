// SPDX-License-Identifier: Apache-2.0

import NIOPosix
import RedisServer
import Synchronization
import Testing

@testable import EdgeDirectory
@testable import EdgeTunnels
@testable import Redis

@Suite("What Redis tells edges", .serialized)
struct DirectoryEventTests {
    /// Has a test hear what a directory in a server of its own tells.
    private func run(_ body: (RedisTunnelDirectory, _ heard: () -> [DirectoryEvent]) async throws -> Void) async throws
    {
        let server = try RedisServer()
        try await RedisUnderTest.run(server) { client in
            let events = Mutex<[DirectoryEvent]>([])
            let listener = try RedisClient(
                RedisClient.Configuration(url: try #require(RedisURL("redis://127.0.0.1:\(server.port)"))),
                subscription: RedisClient.Subscription(channels: ["cv:ev"]) { _, message in
                    guard let event = DirectoryEvent(message: message) else { return }
                    events.withLock { $0.append(event) }
                },
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
                logger: RedisUnderTest.quiet
            )
            listener.start()
            let result: Result<Void, any Error>
            do {
                try await RedisUnderTest.until("it listens") { listener.status == .up }
                let directory = RedisTunnelDirectory(client, recorder: NoRecorder(), logger: RedisUnderTest.quiet)
                result = .success(try await body(directory) { events.withLock { $0 } })
            } catch {
                result = .failure(error)
            }
            await listener.close()
            try result.get()
        }
    }

    @Test(
        "All edges are told that a name has gone to another owner, and of an arrival that changes nothing they are not"
    )
    func moved() async throws {
        try await self.run { directory, heard in
            let (id, pod) = (try tunnelID("aaa"), PodID("p1"))
            func join(_ specification: TunnelSpecification, slot: String) async throws -> DirectoryAdmission {
                let place = DirectoryPlace(pod: pod, slot: slot)
                return try await directory.join(DirectoryArrival(specification, issuedAt: 20, place: place))
            }
            _ = try await join(.of("aaa"), slot: "A.0")
            guard case .taken = try await join(.of("aaa", owner: "bob", version: 5), slot: "B.0") else {
                Issue.record("an earlier word counts")
                return
            }
            _ = try await join(.of("aaa", owner: "bob", version: 15), slot: "B.0")
            _ = try await join(.of("aaa", owner: "bob", version: 15), slot: "B.1")
            // What is told last shows that nothing else was told before it.
            try await directory.endAccess(issuedUntil: 1, of: id)
            try await RedisUnderTest.until("it is told") { heard().count > 1 }
            #expect(heard() == [.moved(id, owner: "bob", version: 15), .accessEnded(id, issuedUntil: 1)])
            #expect(try await directory.find(id)?.places.map(\.slot).sorted() == ["B.0", "B.1"])
        }
    }
}
