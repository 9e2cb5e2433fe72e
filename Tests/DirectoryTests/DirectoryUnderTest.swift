// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeDirectory
import EdgeTunnels
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RESP
import Redis
import RedisServer
import Synchronization
import Testing

/// A directory of either kind, and the passing of time for it.
struct DirectoryUnderTest: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case inMemory
        case redis
    }

    let directory: any TunnelDirectory
    /// Lets time pass.
    let pass: @Sendable (Double) async throws -> Void
    /// The time of tokens, in seconds since 1970.
    let now: @Sendable () -> Double

    /// Has a test use a directory that remembers as briefly as is told.
    static func run(
        _ kind: Kind,
        lease: Int = 10_000,
        idleExpiry: Int = 86_400_000,
        nameLease: Int = 86_400_000,
        body: (DirectoryUnderTest) async throws -> Void
    ) async throws {
        var times = DirectoryTimes()
        (times.lease, times.idleExpiry, times.nameLease) = (lease, idleExpiry, nameLease)
        switch kind {
        case .inMemory:
            let clock = TestClock()
            let directory = InMemoryTunnelDirectory(times: times, now: { clock.now })
            try await body(
                DirectoryUnderTest(directory: directory, pass: { clock.advance($0) }, now: { clock.now })
            )
        case .redis:
            let server = try RedisServer()
            try await RedisUnderTest.run(server) { client in
                let directory = RedisTunnelDirectory(
                    client,
                    times: times,
                    recorder: NoRecorder(),
                    logger: RedisUnderTest.quiet
                )
                // Redis' clock can't be moved; what has passed has passed.
                try await body(
                    DirectoryUnderTest(
                        directory: directory,
                        pass: { try await Task.sleep(for: .seconds($0)) },
                        now: { Date().timeIntervalSince1970 }
                    )
                )
            }
        }
    }
}

/// A clock that tests move.
final class TestClock: Sendable {
    private let seconds = Mutex(1_000_000.0)

    var now: Double { self.seconds.withLock { $0 } }

    func advance(_ seconds: Double) { self.seconds.withLock { $0 += seconds } }
}

struct NoRecorder: DirectoryRecorder {
    func directoryAnswered(_ operation: DirectoryOperation, seconds: Double) {}
    func directoryFailed(_ operation: DirectoryOperation) {}
}

/// A client of a server that a test has started.
enum RedisUnderTest {
    static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    static func run(
        _ server: RedisServer,
        url: String? = nil,
        password: String? = nil,
        sentinelPassword: String? = nil,
        trustRoots: NIOSSLTrustRoots? = nil,
        // Longer than a busy machine takes for anything: tests of the time-out say their own.
        timeout: TimeAmount = .seconds(20),
        body: (RedisClient) async throws -> Void
    ) async throws {
        let url = try #require(RedisURL(url ?? "redis://127.0.0.1:\(server.port)"))
        let configuration = RedisClient.Configuration(
            url: url,
            password: password,
            sentinelPassword: sentinelPassword,
            trustRoots: trustRoots,
            timeout: timeout
        )
        let client = try RedisClient(
            configuration,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Self.quiet
        )
        client.start()
        let result: Result<Void, any Error>
        do {
            try await Self.until("it is tried") { client.status != .down("not tried yet") }
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        await client.close()
        try result.get()
    }

    /// Waits until something is so.
    static func until(
        _ what: Comment,
        within seconds: Double = 20,
        _ isTrue: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try await !isTrue() {
            try #require(ContinuousClock.now < deadline, what)
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension TunnelSpecification {
    /// A tunnel of a test.
    static func of(
        _ id: String,
        owner: String = "ann",
        version: Double = 10,
        allowing addresses: String? = nil
    ) throws -> TunnelSpecification {
        var policy = TunnelPolicy()
        if let addresses { policy.ipAllow = [addresses] }
        return TunnelSpecification(
            id: try tunnelID(id),
            name: id,
            owner: owner,
            policy: policy,
            createdAt: Date(timeIntervalSince1970: 5),
            version: version
        )
    }
}

/// An id that a test has written down.
func tunnelID(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }
