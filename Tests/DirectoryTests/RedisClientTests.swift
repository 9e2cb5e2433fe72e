// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RESP
import RedisServer
import Synchronization
import Testing

@testable import EdgeDirectory
@testable import EdgeTunnels
@testable import Redis

/// What callers are told of a server in trouble, which is a real one each time.
@Suite("The connection to Redis", .serialized)
struct RedisClientTests {
    private func up(_ client: RedisClient) async throws {
        try await RedisUnderTest.until("it is connected") { client.status == .up }
    }

    private func why(_ client: RedisClient) -> String {
        if case .down(let why) = client.status { why } else { "" }
    }

    @Test("Many commands at once are answered, each with its own answer")
    func commands() async throws {
        try await RedisUnderTest.run(try RedisServer()) { client in
            try await self.up(client)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<2_000 {
                    group.addTask { try await client.command(["ECHO", "\(number)"]).text == "\(number)" }
                }
                for try await isRight in group { #expect(isRight) }
            }
            await #expect(throws: RedisError.self) { try await client.command(["NO-SUCH-COMMAND"]) }
            #expect(client.status == .up)
        }
    }

    @Test("A killed server fails commands at once, and is connected to when it is back")
    func killed() async throws {
        let server = try RedisServer()
        try await RedisUnderTest.run(server) { client in
            try await self.up(client)
            server.kill()
            try await RedisUnderTest.until("it is noticed") { client.status != .up }
            let start = ContinuousClock.now
            await #expect(throws: RedisError.self) { try await client.command(["PING"]) }
            #expect(ContinuousClock.now - start < .milliseconds(500))
            try server.start()
            try await self.up(client)
            #expect(try await client.command(["PING"]) == .status("PONG"))
        }
    }

    @Test("A frozen server, which closes nothing, is given up after the time-out, with nobody waiting for it")
    func frozen() async throws {
        let server = try RedisServer()
        try await RedisUnderTest.run(server, timeout: .milliseconds(300)) { client in
            try await self.up(client)
            server.freeze()
            defer { server.thaw() }
            try await RedisUnderTest.until("it is given up") { client.status != .up }
            server.thaw()
            try await self.up(client)
        }
    }

    @Test("A wrong password is said, and shown nowhere; the right one lets in")
    func password() async throws {
        let server = try RedisServer(["--requirepass", "right-password"])
        try await RedisUnderTest.run(server, password: "wrong-password") { client in
            try await RedisUnderTest.until("it is refused") { self.why(client).contains("WRONGPASS") }
            #expect(!self.why(client).contains("wrong-password"))
        }
        try await RedisUnderTest.run(server) { client in
            try await RedisUnderTest.until("it is refused") { self.why(client).contains("NOAUTH") }
        }
        try await RedisUnderTest.run(server, password: "right-password") { client in
            try await self.up(client)
        }
    }

    @Test("A user with the rights that docs/operations.md names can do everything that an edge does, and nothing else")
    func rights() async throws {
        let page = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appending(path: "../../docs/operations.md"),
            encoding: .utf8
        )
        let rule = try #require(page.split(separator: "\n").first { $0.hasPrefix("ACL SETUSER culvert ") })
        let server = try RedisServer()
        let words = rule.split(separator: " ").map { $0 == ">PASSWORD" ? ">edge-password" : String($0) }
        #expect(try server.ask(words) == "OK")
        try await RedisUnderTest.run(
            server,
            url: "redis://culvert@127.0.0.1:\(server.port)",
            password: "edge-password"
        ) { client in
            try await self.up(client)
            let directory = RedisTunnelDirectory(client, recorder: NoRecorder(), logger: RedisUnderTest.quiet)
            let (id, pod) = (try tunnelID("aaa"), PodID("p1"))
            let cutoff = TokenCutoffs.Cutoff(issuedUntil: 1, endAt: 1)
            _ = try await directory.beat(pod, info: "{}")
            #expect(try await directory.create(.of("aaa"), limit: 9) == .created)
            let place = DirectoryPlace(pod: pod, slot: "B.0")
            _ = try await directory.join(DirectoryArrival(.of("aaa"), issuedAt: 2, place: place))
            _ = try await directory.change(.of("aaa", version: 20))
            _ = try await directory.find(id)
            _ = try await directory.list(owner: nil, after: nil, limit: 9)
            try await directory.leave(place, of: id, isLast: true)
            try await directory.end(cutoff, of: id)
            _ = try await directory.removeIdle(limit: 9)
            _ = try await directory.useCode(step: 1, ofKey: "k")
            _ = try await directory.take(1, from: "b", limit: RateLimit(1, perSeconds: 1))
            #expect(try await directory.remove(id, of: "ann", ending: cutoff))
            _ = try await directory.reap(pod, isLeaving: true, limit: 9)
            for command in [["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["GET", "another"]] {
                await #expect(throws: RedisError.self) { try await client.command(command) }
            }
        }
    }

    @Test("A primary that becomes a replica is left, and is not taken for one afterwards")
    func demoted() async throws {
        let (server, other) = (try RedisServer(), try RedisServer())
        try await RedisUnderTest.run(server) { client in
            try await self.up(client)
            try server.ask(["REPLICAOF", "127.0.0.1", "\(other.port)"])
            _ = try? await client.command(["SET", "cv:x", "1"])
            try await RedisUnderTest.until("it is left") { self.why(client).contains("no primary") }
            try server.ask(["REPLICAOF", "NO", "ONE"])
            try await self.up(client)
        }
    }

    @Test("Sentinels say which server is the primary, also after it has failed")
    func sentinels() async throws {
        let primary = try RedisServer()
        let replica = try RedisServer(["--replicaof", "127.0.0.1", "\(primary.port)"])
        let file = FileManager.default.temporaryDirectory.appending(path: "culvert-sentinel-\(UUID().uuidString).conf")
        try """
        sentinel monitor edges 127.0.0.1 \(primary.port) 1
        sentinel down-after-milliseconds edges 500
        sentinel failover-timeout edges 3000

        """.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let sentinel = try RedisServer([file.path, "--sentinel"])
        try await RedisUnderTest.until("the sentinel knows the replica") {
            try sentinel.ask(["SENTINEL", "replicas", "edges"]).contains("\(replica.port)")
        }
        let url = "redis+sentinel://127.0.0.1:1,127.0.0.1:\(sentinel.port)/edges"
        try await RedisUnderTest.run(primary, url: url) { client in
            try await self.up(client)
            #expect(client.hasReplicas)
            primary.kill()
            try await RedisUnderTest.until("it is noticed") { client.status != .up }
            try await self.up(client)
            #expect(try await client.command(["SET", "cv:x", "1"]) == .status("OK"))
            #expect(try replica.ask(["GET", "cv:x"]) == "1")
        }
        try await RedisUnderTest.run(
            primary,
            url: "redis+sentinel://127.0.0.1:\(sentinel.port)/others"
        ) { client in
            try await RedisUnderTest.until("it is said") { self.why(client).contains("no sentinel knows") }
        }
    }

    @Test("Sentinels are asked by their own password, and over TLS where the primary is reached so")
    func protectedSentinels() async throws {
        let certificates = try Certificates(of: ["server"])
        let (tlsPort, sentinelPort) = (try RedisServer.freePort(), try RedisServer.freePort())
        let primary = try RedisServer(
            ["--tls-port", "\(tlsPort)", "--requirepass", "of-redis"] + certificates.arguments
        )
        let file = certificates.folder.appending(path: "sentinel.conf")
        try """
        sentinel monitor edges 127.0.0.1 \(tlsPort) 1
        sentinel auth-pass edges of-redis

        """.write(to: file, atomically: true, encoding: .utf8)
        let sentinel = try RedisServer(
            [file.path, "--sentinel", "--tls-port", "\(sentinelPort)", "--tls-replication", "yes"]
                + ["--requirepass", "of-sentinels"] + certificates.arguments
        )
        let roots = NIOSSLTrustRoots.file(certificates.path("server.pem"))
        func run(
            _ url: String,
            _ sentinelPassword: String?,
            timeout: TimeAmount = .seconds(20),
            _ body: (RedisClient) async throws -> Void
        ) async throws {
            try await RedisUnderTest.run(
                primary,
                url: url,
                password: "of-redis",
                sentinelPassword: sentinelPassword,
                trustRoots: roots,
                timeout: timeout,
                body: body
            )
        }
        try await run("rediss+sentinel://localhost:\(sentinelPort)/edges", "of-sentinels") { client in
            try await self.up(client)
            #expect(try await client.command(["SET", "cv:x", "1"]) == .status("OK"))
        }
        try await run("rediss+sentinel://localhost:\(sentinelPort)/edges", nil) { client in
            try await RedisUnderTest.until("it is said") { self.why(client).contains("NOAUTH") }
        }
        try await run("rediss+sentinel://localhost:\(sentinelPort)/edges", "guessed") { client in
            try await RedisUnderTest.until("it is said") { self.why(client).contains("WRONGPASS") }
            #expect(!self.why(client).contains("guessed"))
        }
        // A sentinel that speaks plainly is told no password by who wants TLS.
        let plain = "rediss+sentinel://localhost:\(sentinel.port)/edges"
        try await run(plain, "of-sentinels", timeout: .milliseconds(500)) { client in
            try await RedisUnderTest.until("it is said") { self.why(client).contains("no sentinel knows") }
        }
    }

    @Test("TLS is spoken with a server whose certificate is believed, and with no other")
    func encrypted() async throws {
        let certificates = try Certificates(of: ["server", "other"])
        let certificate = certificates.path("server.pem")
        let tlsPort = try RedisServer.freePort()
        let server = try RedisServer(["--tls-port", "\(tlsPort)"] + certificates.arguments)
        let url = "rediss://localhost:\(tlsPort)"
        try await RedisUnderTest.run(server, url: url, trustRoots: .file(certificate)) { client in
            try await self.up(client)
            #expect(try await client.command(["PING"]) == .status("PONG"))
        }
        let other = NIOSSLTrustRoots.file(certificates.path("other.pem"))
        try await RedisUnderTest.run(server, url: url, trustRoots: other) { client in
            #expect(client.status != .up)
        }
    }

    @Test(
        "A server that runs without persistence or may drop keys is used, and warned of; one that is too old is not used"
    )
    func facts() {
        let good = RedisFacts(
            "redis_version:7.0.15\r\naof_enabled:1\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"
        )
        #expect(good.isNewEnough && good.warnings.isEmpty && !good.hasReplicas)
        let poor = RedisFacts(
            "redis_version:6.2.0\naof_enabled:0\nmaxmemory:1000\nmaxmemory_policy:allkeys-lru\nconnected_slaves:1\n"
        )
        #expect(poor.isNewEnough && poor.warnings.count == 2 && poor.hasReplicas)
        #expect(!RedisFacts("redis_version:6.0.16\n").isNewEnough)
        #expect(!RedisFacts("").isNewEnough)
    }

    @Test("What scripts tell is heard by who subscribes, again after the connection was lost")
    func subscription() async throws {
        let server = try RedisServer()
        let heard = Mutex<[DirectoryEvent]>([])
        let url = try #require(RedisURL("redis://127.0.0.1:\(server.port)"))
        let listener = try RedisClient(
            RedisClient.Configuration(url: url),
            subscription: RedisClient.Subscription(channels: ["cv:ev"]) { _, message in
                if let event = DirectoryEvent(message: message) { heard.withLock { $0.append(event) } }
            },
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: RedisUnderTest.quiet
        )
        listener.start()
        try await RedisUnderTest.run(server) { client in
            try await self.up(client)
            try await self.up(listener)
            let directory = RedisTunnelDirectory(client, recorder: NoRecorder(), logger: RedisUnderTest.quiet)
            let (id, cutoff) = (try tunnelID("aaa"), TokenCutoffs.Cutoff(issuedUntil: 1.5, endAt: 2.5))
            _ = try await directory.create(.of("aaa"), limit: 9)
            _ = try await directory.change(.of("aaa", version: 20))
            try await directory.end(cutoff, of: id)
            _ = try await directory.remove(id, of: "ann", ending: cutoff)
            let expected: [DirectoryEvent] = [
                .changed(id, version: 20), .cut(id, cutoff), .deleted(id, issuedUntil: 20),
            ]
            try await RedisUnderTest.until("all is heard") { heard.withLock { $0.count } == 3 }
            #expect(heard.withLock { $0 } == expected)
            server.kill()
            try await RedisUnderTest.until("it is noticed") { listener.status != .up }
            try server.start()
            try await self.up(listener)
            try await self.up(client)
            try await directory.end(cutoff, of: id)
            try await RedisUnderTest.until("it is heard again") { heard.withLock { $0.count } == 4 }
        }
        await listener.close()
        for text in ["", "{}", #"{"k":"end","id":"aaa"}"#, #"{"k":"new","id":"aaa"}"#, #"{"k":"idle","id":"A b"}"#] {
            #expect(DirectoryEvent(message: text) == nil, "\(text)")
        }
    }

    @Test("The pause between attempts grows to two seconds and no further")
    func backoff() {
        var backoff = RedisBackoff()
        let pauses = (0..<8).map { _ in backoff.failed().nanoseconds / 1_000_000 }
        #expect(pauses == [50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
        backoff.connected()
        #expect(backoff.failed() == .milliseconds(50))
    }
}
