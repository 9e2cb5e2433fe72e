// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import NIOCore
import NIOPosix
import Redis
import RedisServer
import Testing

@testable import EdgeInbox
@testable import InboxFile
@testable import InboxRedis

/// Every way to keep inboxes: what one does the others do.
enum StoreKind: CaseIterable {
    case memory
    case file
    case redis
}

/// A store in a folder of its own.
struct StoreUnderTest {
    let folder = NSTemporaryDirectory() + "inbox-" + UUID().uuidString
    let keys: SealingKeys

    init() throws {
        self.keys = try #require(SealingKeys(SealingKeys.makeKey()))
    }

    /// A store in a Redis, which is there when the call returns.
    func open(on server: RedisServer, _ options: RedisInboxStore.Options = .init()) async throws -> RedisInboxStore {
        var configuration = RedisClient.Configuration(
            url: try #require(RedisURL("redis://127.0.0.1:\(server.port)"))
        )
        // The machine may be busy; a server that was killed is noticed all the same.
        configuration.timeout = .seconds(20)
        let store = try RedisInboxStore(
            configuration,
            keys: self.keys,
            options: options,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        await store.open()
        let patience = ContinuousClock.now + .seconds(20)
        while (try? await store.figures()) == nil, ContinuousClock.now < patience {
            try await Task.sleep(for: .milliseconds(10))
        }
        return store
    }

    func clean() { try? FileManager.default.removeItem(atPath: self.folder) }
}

let start = Date(timeIntervalSince1970: 1_700_000_000)

func record(_ id: String, _ settings: InboxSettings = InboxSettings()) -> InboxRecord {
    InboxRecord(
        tunnelID: id,
        name: id,
        owner: "own_a",
        settings: settings,
        policy: TunnelPolicy(),
        createdAt: start,
        version: 7
    )
}

func message(_ number: Int, body: Int = 10, at date: Date = start) -> NewMessage {
    NewMessage(
        receivedAt: date,
        head: MessageHead(
            method: "POST",
            target: "/hook/\(number)",
            bytes: Array("POST /hook/\(number) HTTP/1.1\r\n\r\n".utf8),
            prefixLength: 0,
            address: "192.0.2.1",
            port: 7
        ),
        body: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: body),
        verified: number.isMultiple(of: 2)
    )
}

@Suite("What keeps inboxes")
struct InboxStoreTests {
    private static let id = TunnelID("my-app")
    private let keep = InboxSettings.Keep()

    private func with(_ kind: StoreKind, _ body: (any InboxStore, TunnelID) async throws -> Void) async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(Self.id)
        switch kind {
        case .memory: try await body(MemoryInboxStore(), id)
        case .file: try await body(try SQLiteInboxStore(folder: place.folder, keys: place.keys), id)
        case .redis:
            let server = try RedisServer()
            let store = try await place.open(on: server)
            try await body(store, id)
            await store.close()
            withExtendedLifetime(server) {}
        }
    }

    private func turn(_ store: any InboxStore, _ id: TunnelID, at now: Date = start) async throws -> InboxTurn {
        try await store.next(id, order: .strict, now: now, except: [])
    }

    @Test("An inbox is kept with all that is in it, replaced, and removed", arguments: StoreKind.allCases)
    func inboxes(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            var settings = InboxSettings()
            settings.verify = .init(scheme: .github, secret: "hidden")
            try await store.put(record("my-app", settings))
            try await store.put(record("other"))
            #expect(try await store.inboxes() == [record("my-app", settings), record("other")])
            try await store.put(record("my-app"))
            #expect(try await store.inboxes().first == record("my-app"))
            try await store.remove(id)
            #expect(try await store.inboxes() == [record("other")])
            await #expect(throws: InboxStoreError.noInbox) {
                try await store.append(message(1), to: id, keep: self.keep)
            }
        }
    }

    @Test("Messages leave in the order in which they came, byte for byte", arguments: StoreKind.allCases)
    func order(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let sent = (0..<20).map { message($0, body: $0 * 100) }
            for message in sent { try await store.append(message, to: id, keep: self.keep) }
            for message in sent {
                guard case .now(let kept) = try await self.turn(store, id) else {
                    Issue.record("nothing is due")
                    return
                }
                #expect(kept.message.id == message.id && kept.head == message.head && kept.body == message.body)
                #expect(kept.message.verified == message.verified && kept.message.size == message.body.count)
                let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
                try await store.conclude(message.id, of: id, with: step, now: start)
            }
            #expect(try await self.turn(store, id) == .nothing)
            #expect(try await store.figures()[id]?.delivered == 20)
        }
    }

    @Test("What is due later holds those behind it, or steps aside", arguments: StoreKind.allCases)
    func due(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let (first, second) = (message(1), message(2))
            for message in [first, second] { try await store.append(message, to: id, keep: self.keep) }
            let later = start.addingTimeInterval(30)
            let step = DeliveryStep(state: .waiting, attempts: 1, due: later, status: 500)
            try await store.conclude(first.id, of: id, with: step, now: start)
            #expect(try await self.turn(store, id) == .later(later))
            guard case .now(let other) = try await store.next(id, order: .any, now: start, except: []) else {
                Issue.record("the second one waits for the first")
                return
            }
            #expect(other.message.id == second.id)
            #expect(try await store.next(id, order: .any, now: start, except: [second.id]) == .later(later))
            #expect(try await store.next(id, order: .strict, now: start, except: [first.id]) == .nothing)
            guard case .now(let again) = try await self.turn(store, id, at: later) else {
                Issue.record("the first one is not due")
                return
            }
            #expect(again.message.id == first.id && again.message.attempts == 1 && again.message.lastStatus == 500)
        }
    }

    @Test("The bounds of an inbox hold, and what was delivered makes room", arguments: StoreKind.allCases)
    func bounds(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            var keep = InboxSettings.Keep()
            keep.messages = 3
            let sent = (0..<3).map { message($0) }
            for message in sent { try await store.append(message, to: id, keep: keep) }
            await #expect(throws: InboxStoreError.full) { try await store.append(message(4), to: id, keep: keep) }
            let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
            try await store.conclude(sent[1].id, of: id, with: step, now: start)
            try await store.append(message(5), to: id, keep: keep)
            #expect(try await store.message(sent[1].id, of: id) == nil)
            await #expect(throws: InboxStoreError.full) { try await store.append(message(6), to: id, keep: keep) }
            keep.messages = 100
            keep.bytes = 1_024
            await #expect(throws: InboxStoreError.full) {
                try await store.append(message(7, body: 1_024), to: id, keep: keep)
            }
            #expect(try await store.figures()[id]?.waiting == 3)
        }
    }

    @Test(
        "Bounds that were lowered far below what is kept refuse nothing: the inbox shrinks as messages come",
        arguments: StoreKind.allCases
    )
    func loweredBounds(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let sent = (0..<300).map { message($0, body: 100) }
            for message in sent { try await store.append(message, to: id, keep: self.keep) }
            let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
            for message in sent.prefix(295) { try await store.conclude(message.id, of: id, with: step, now: start) }
            var keep = InboxSettings.Keep()
            (keep.messages, keep.bytes) = (10, 4_096)
            var total = 300
            for number in 300..<305 {
                try await store.append(message(number, body: 100), to: id, keep: keep)
                let figures = try #require(try await store.figures()[id])
                let now = figures.waiting + figures.delivered
                #expect(now < total || now <= keep.messages)
                total = now
                #expect(figures.waiting == number - 300 + 6)
            }
            #expect(total <= 10)
            // What nobody has taken yet makes no room.
            await #expect(throws: InboxStoreError.full) {
                try await store.append(message(400, body: 100), to: id, keep: keep)
            }
        }
    }

    @Test("Pages go from the newest to the oldest, of one state or of all", arguments: StoreKind.allCases)
    func pages(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let sent = (0..<5).map { message($0) }
            for message in sent { try await store.append(message, to: id, keep: self.keep) }
            let step = DeliveryStep(state: .dead, attempts: 8, due: start, error: "origin_timeout")
            try await store.conclude(sent[2].id, of: id, with: step, now: start)
            let first = try await store.page(id, state: nil, before: nil, limit: 3)
            #expect(first.map(\.id) == [sent[4].id, sent[3].id, sent[2].id])
            #expect(first[2].lastError == "origin_timeout" && first[0].target == "/hook/4")
            let rest = try await store.page(id, state: nil, before: first[2].id, limit: 3)
            #expect(rest.map(\.id) == [sent[1].id, sent[0].id])
            #expect(try await store.page(id, state: .dead, before: nil, limit: 9).map(\.id) == [sent[2].id])
        }
    }

    @Test(
        "People deliver, skip and delete; what they changed an attempt changes no more",
        arguments: StoreKind.allCases
    )
    func changes(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let sent = (0..<3).map { message($0) }
            for message in sent { try await store.append(message, to: id, keep: self.keep) }
            #expect(try await store.change(id, .one(sent[0].id), .skip, now: start) == 1)
            let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
            try await store.conclude(sent[0].id, of: id, with: step, now: start)
            #expect(try await store.message(sent[0].id, of: id)?.message.state == .dead)
            #expect(try await store.change(id, .all(.dead), .deliver, now: start) == 1)
            guard case .now(let kept) = try await self.turn(store, id) else {
                Issue.record("nothing is due")
                return
            }
            #expect(kept.message.id == sent[0].id && kept.message.attempts == 0)
            #expect(try await store.change(id, .one(sent[1].id), .delete, now: start) == 1)
            #expect(try await store.change(id, .one("msg_none"), .delete, now: start) == 0)
            #expect(try await store.figures()[id]?.waiting == 2)
            let other = try #require(TunnelID("other"))
            #expect(try await store.change(other, .one(sent[0].id), .delete, now: start) == 0)
            #expect(try await store.message(sent[0].id, of: other) == nil)
        }
    }

    @Test(
        "What was delivered goes after its time; what nobody took is dead, and then goes, too",
        arguments: StoreKind.allCases
    )
    func sweep(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            var settings = InboxSettings()
            settings.keep.deliveredHours = 1
            settings.keep.waitingHours = 2
            try await store.put(record("my-app", settings))
            let sent = (0..<250).map { message($0, body: 100) }
            for message in sent { try await store.append(message, to: id, keep: self.keep) }
            let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
            for message in sent.prefix(240) { try await store.conclude(message.id, of: id, with: step, now: start) }
            func after(_ hours: Double) async throws -> SweepReport {
                try await store.sweep(now: start.addingTimeInterval(hours * 3_600))
            }
            #expect(try await after(0.9) == SweepReport())
            #expect(try await after(1.1).deleted == 240)
            #expect(try await after(2.1).expired == 10)
            #expect(try await store.page(id, state: .dead, before: nil, limit: 99).first?.lastError == "expired")
            #expect(try await after(4.1).deleted == 10)
            #expect(try await store.figures()[id] == InboxFigures())
        }
    }

    @Test("An inbox that is made again has nothing of the one before", arguments: StoreKind.allCases)
    func madeAgain(_ kind: StoreKind) async throws {
        try await self.with(kind) { store, id in
            try await store.put(record("my-app"))
            let old = message(1)
            try await store.append(old, to: id, keep: self.keep)
            try await store.remove(id)
            try await store.put(record("my-app"))
            #expect(try await self.turn(store, id) == .nothing)
            #expect(try await store.message(old.id, of: id) == nil)
            #expect(try await store.figures()[id] == InboxFigures())
            _ = try await store.sweep(now: start)
            try await store.append(message(2), to: id, keep: self.keep)
            #expect(try await store.figures()[id]?.waiting == 1)
        }
    }
}
