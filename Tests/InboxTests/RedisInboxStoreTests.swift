// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import RedisServer
import Testing

@testable import EdgeInbox
@testable import InboxRedis

@Suite("Inboxes in Redis, for several edges", .serialized)
struct RedisInboxStoreTests {
    private let keep = InboxSettings.Keep()
    private let delivered = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)

    /// Has two edges share a Redis.
    private func withTwo(
        lease: TimeAmount = .seconds(10),
        _ arguments: [String] = [],
        _ body: (RedisServer, RedisInboxStore, RedisInboxStore, TunnelID) async throws -> Void
    ) async throws {
        let place = try StoreUnderTest()
        let server = try RedisServer(arguments)
        var options = RedisInboxStore.Options()
        options.lease = lease
        let (one, other) = (
            try await place.open(on: server, options), try await place.open(on: server, options)
        )
        try await body(server, one, other, try #require(TunnelID("my-app")))
        await one.close()
        await other.close()
    }

    private func next(_ store: RedisInboxStore, _ id: TunnelID, except: Set<String> = []) async throws -> InboxTurn {
        try await store.next(id, order: .strict, now: start, except: except)
    }

    private func id(of turn: InboxTurn) -> String? {
        if case .now(let message) = turn { message.message.id } else { nil }
    }

    @Test("One edge at a time hands over, for as long as it renews its lease; then another does, with the same message")
    func takesTurns() async throws {
        try await self.withTwo(lease: .seconds(6)) { server, one, other, id in
            try await one.put(record("my-app"))
            let sent = (0..<3).map { message($0) }
            for message in sent { try await other.append(message, to: id, keep: self.keep) }
            #expect(self.id(of: try await self.next(one, id)) == sent[0].id)
            guard case .later(let date) = try await self.next(other, id) else {
                Issue.record("both hand over")
                return
            }
            #expect((0...6).contains(date.timeIntervalSince(start)))
            func end() throws -> Int? { Int(try server.ask(["HGET", "cv:ibx:my-app", "u"])) }
            let first = try #require(try end())
            let patience = ContinuousClock.now + .seconds(30)
            while try end() == first, ContinuousClock.now < patience { try await Task.sleep(for: .milliseconds(50)) }
            #expect(try #require(try end()) > first)
            #expect(self.id(of: try await self.next(other, id)) == nil)
            try await one.conclude(sent[0].id, of: id, with: self.delivered, now: start)
            #expect(self.id(of: try await self.next(one, id)) == sent[1].id)
            await one.close()
            // It let go of what it had, so that nobody has to wait.
            #expect(self.id(of: try await self.next(other, id)) == sent[1].id)
        }
    }

    @Test(
        "The lease of an edge that was killed ends by itself; what it still says of a message changes no other's word"
    )
    func killed() async throws {
        try await self.withTwo { server, one, other, id in
            try await one.put(record("my-app"))
            let sent = message(1)
            try await one.append(sent, to: id, keep: self.keep)
            #expect(self.id(of: try await self.next(one, id)) == sent.id)
            let time = try server.ask(["TIME"]).split(separator: "\n")
            let now = try #require(Int(time[0])) * 1_000
            try server.ask(["HSET", "cv:ibx:my-app", "u", "\(now - 1)"])
            #expect(self.id(of: try await self.next(other, id)) == sent.id)
            try await other.conclude(sent.id, of: id, with: self.delivered, now: start)
            let late = DeliveryStep(state: .waiting, attempts: 1, due: start, error: "origin_timeout")
            try await one.conclude(sent.id, of: id, with: late, now: start)
            #expect(try await other.message(sent.id, of: id)?.message.state == .delivered)
            #expect(try await self.next(one, id) == .nothing)
        }
    }

    @Test("An edge with nothing to do holds nothing, and one that waits for a message to be due does not either")
    func letsGo() async throws {
        try await self.withTwo { server, one, other, id in
            func holder() throws -> String { try server.ask(["HGET", "cv:ibx:my-app", "l"]) }
            try await one.put(record("my-app"))
            let sent = message(1)
            try await one.append(sent, to: id, keep: self.keep)
            #expect(self.id(of: try await self.next(one, id)) == sent.id)
            #expect(try !holder().isEmpty)
            // What is under way holds on.
            #expect(try await self.next(one, id, except: [sent.id]) == .nothing)
            #expect(try !holder().isEmpty)
            let later = start.addingTimeInterval(30)
            let step = DeliveryStep(state: .waiting, attempts: 1, due: later, status: 500)
            try await one.conclude(sent.id, of: id, with: step, now: start)
            #expect(try await self.next(one, id) == .later(later))
            #expect(try holder().isEmpty)
            #expect(try await self.next(other, id) == .later(later))
        }
    }

    @Test(
        "What one edge does the other hears: an inbox that is made, changed and removed, and that there is something to do"
    )
    func told() async throws {
        try await self.withTwo { _, one, other, id in
            let events = try #require(other.events)
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .missed)
            try await one.put(record("my-app"))
            #expect(await iterator.next() == .changed(id))
            #expect(try await other.inbox(id) == record("my-app"))
            try await one.append(message(1), to: id, keep: self.keep)
            #expect(await iterator.next() == .due(id))
            _ = try await self.next(one, id)
            // Who hands over looks again by itself.
            try await one.append(message(2), to: id, keep: self.keep)
            try await one.remove(id)
            #expect(await iterator.next() == .changed(id))
            #expect(try await other.inbox(id) == nil)
        }
    }

    @Test("Nothing of what a message says can be found in Redis")
    func sealed() async throws {
        try await self.withTwo(["--appendonly", "yes", "--appendfsync", "always"]) { server, one, _, id in
            var settings = InboxSettings()
            settings.verify = .init(scheme: .github, secret: "planted-secret")
            try await one.put(record("my-app", settings))
            let head = MessageHead(
                method: "POST",
                target: "/planted-target",
                bytes: Array("planted-head".utf8),
                prefixLength: 0
            )
            let sent = NewMessage(receivedAt: start, head: head, body: Array("planted-body".utf8))
            try await one.append(sent, to: id, keep: self.keep)
            let files = try #require(FileManager.default.enumerator(at: server.folder, includingPropertiesForKeys: nil))
            var seen = 0
            for case let file as URL in files {
                guard let bytes = try? Data(contentsOf: file) else { continue }
                seen += bytes.range(of: Data(sent.id.utf8)) == nil ? 0 : 1
                #expect(bytes.range(of: Data("planted".utf8)) == nil)
            }
            #expect(seen > 0)
        }
    }

    @Test("A Redis without room refuses what comes, has its messages handed over, and takes again once there is room")
    func full() async throws {
        try await self.withTwo(["--maxmemory", "6mb", "--maxmemory-policy", "noeviction"]) { _, one, _, id in
            try await one.put(record("my-app"))
            var kept: [NewMessage] = []
            var isFull = false
            for number in 0..<400 where !isFull {
                let message = message(number, body: 20_000)
                do {
                    try await one.append(message, to: id, keep: self.keep)
                    kept.append(message)
                } catch {
                    #expect(error as? InboxStoreError == .full)
                    isFull = true
                }
            }
            #expect(isFull && kept.count > 10)
            let first = try #require(kept.first)
            #expect(self.id(of: try await self.next(one, id)) == first.id)
            let again = DeliveryStep(state: .waiting, attempts: 1, due: start, status: 500)
            try await one.conclude(first.id, of: id, with: again, now: start)
            #expect(self.id(of: try await self.next(one, id)) == first.id)
            try await one.conclude(first.id, of: id, with: self.delivered, now: start)
            #expect(try await one.change(id, .all(.waiting), .delete, now: start) == kept.count - 1)
            try await one.append(message(1, body: 20_000), to: id, keep: self.keep)
        }
    }

    @Test("The bytes of all inboxes together have a bound, and so have those that Redis has not taken yet")
    func bounds() async throws {
        let place = try StoreUnderTest()
        let server = try RedisServer()
        var options = RedisInboxStore.Options()
        options.maximumBytes = 5_000
        options.maximumPending = 4_000
        let store = try await place.open(on: server, options)
        let id = try #require(TunnelID("my-app"))
        try await store.put(record("my-app"))
        try await store.put(record("other"))
        try await store.append(message(1, body: 3_000), to: try #require(TunnelID("other")), keep: self.keep)
        await #expect(throws: InboxStoreError.full) {
            try await store.append(message(2, body: 3_000), to: id, keep: self.keep)
        }
        let failure = await #expect(throws: InboxStoreError.self) {
            try await store.append(message(3, body: 4_000), to: id, keep: self.keep)
        }
        #expect(failure.map { "\($0)".contains("does not keep up") } == true)
        try await store.append(message(4, body: 1_000), to: id, keep: self.keep)
        await store.close()
    }

    @Test("What was answered is there after Redis was killed, and what came of a message is said until Redis is back")
    func outage() async throws {
        try await self.withTwo(["--appendonly", "yes", "--appendfsync", "always"]) { server, one, other, id in
            try await one.put(record("my-app"))
            let sent = (0..<2).map { message($0) }
            for message in sent { try await one.append(message, to: id, keep: self.keep) }
            #expect(self.id(of: try await self.next(one, id)) == sent[0].id)
            server.kill()
            let failure = await #expect(throws: InboxStoreError.self) {
                try await one.append(message(3), to: id, keep: self.keep)
            }
            #expect(failure != .full && failure != .noInbox)
            async let concluded: Void = one.conclude(sent[0].id, of: id, with: self.delivered, now: start)
            try await Task.sleep(for: .milliseconds(300))
            try server.start()
            try await concluded
            #expect(try await one.message(sent[0].id, of: id)?.message.state == .delivered)
            #expect(self.id(of: try await self.next(one, id)) == sent[1].id)
            _ = other
        }
    }
}
