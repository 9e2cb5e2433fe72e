// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import GRDB
import Testing

@testable import EdgeInbox
@testable import InboxFile

@Suite("Inboxes in a file")
struct SQLiteInboxStoreTests {
    private let keep = InboxSettings.Keep()

    @Test("The file is written as it has to be: log, durable, shrinking, and for its owner alone")
    func pragmas() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        let (mode, synchronous, vacuum) = try await store.pool.writeWithoutTransaction { db in
            (
                try String.fetchOne(db, sql: "PRAGMA journal_mode"), try Int.fetchOne(db, sql: "PRAGMA synchronous"),
                try Int.fetchOne(db, sql: "PRAGMA auto_vacuum")
            )
        }
        #expect(mode == "wal" && synchronous == 2 && vacuum == 2)
        for name in ["inbox.sqlite", "inbox.sqlite-wal", "lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(place.folder)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test("What was kept is there after the store is opened again, and an update of the key opens it, too")
    func reopened() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        let (old, new) = (SealingKeys.makeKey(), SealingKeys.makeKey())
        let sent = message(3)
        do {
            let store = try SQLiteInboxStore(folder: place.folder, keys: try #require(SealingKeys(old)))
            try await store.put(record("my-app"))
            try await store.append(sent, to: id, keep: self.keep)
            await store.close()
        }
        do {
            let store = try SQLiteInboxStore(
                folder: place.folder,
                keys: try #require(SealingKeys("# new\n\(new)\n\(old)"))
            )
            #expect(try await store.message(sent.id, of: id)?.body == sent.body)
            try await store.put(record("my-app"))
            await store.close()
        }
        #expect(throws: InboxFileFailure.sealedWithAnotherKey("\(place.folder)/inbox.sqlite")) {
            _ = try SQLiteInboxStore(folder: place.folder, keys: try #require(SealingKeys(old)))
        }
    }

    @Test(
        "A store that closes ends what is under way: all that was kept is there, and the file is free for the next edge"
    )
    func closing() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        for round in 0..<5 {
            let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
            try await store.put(record("my-app"))
            let sent = (0..<200).map { message($0, body: 2_000) }
            let kept = await withTaskGroup { group in
                for message in sent {
                    group.addTask {
                        do {
                            try await store.append(message, to: id, keep: self.keep)
                            return message.id as String?
                        } catch {
                            return nil
                        }
                    }
                }
                group.addTask {
                    if round > 0 { await Task.yield() }
                    await store.close()
                    // From here on the file is another one's.
                    let next = try? SQLiteInboxStore(folder: place.folder, keys: place.keys)
                    #expect(next != nil)
                    await next?.close()
                    return nil
                }
                return await group.reduce(into: Set<String>()) { if let id = $1 { $0.insert(id) } }
            }
            let next = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
            let found = Set(try await next.page(id, state: nil, before: nil, limit: 2_000).map(\.id))
            #expect(kept.isSubset(of: found), "\(kept.subtracting(found).count) are lost")
            #expect(sent.filter { found.contains($0.id) }.count == kept.count)
            await #expect(throws: InboxStoreError.self) { try await store.append(message(1), to: id, keep: self.keep) }
            await next.close()
        }
    }

    @Test("A message whose key is lost does not hold those behind it")
    func lostKey() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        let (old, new) = (SealingKeys.makeKey(), SealingKeys.makeKey())
        let lost = message(1)
        do {
            let store = try SQLiteInboxStore(folder: place.folder, keys: try #require(SealingKeys(old)))
            try await store.put(record("my-app"))
            try await store.append(lost, to: id, keep: self.keep)
            await store.close()
        }
        do {
            let store = try SQLiteInboxStore(folder: place.folder, keys: try #require(SealingKeys("\(new)\n\(old)")))
            try await store.put(record("my-app"))
            await store.close()
        }
        let store = try SQLiteInboxStore(folder: place.folder, keys: try #require(SealingKeys(new)))
        let found = message(2)
        try await store.append(found, to: id, keep: self.keep)
        #expect(try await store.next(id, order: .strict, now: start, except: []) == .later(start))
        guard case .now(let next) = try await store.next(id, order: .strict, now: start, except: []) else {
            Issue.record("the lost message holds the other one")
            return
        }
        #expect(next.message.id == found.id)
        #expect(try await store.page(id, state: .dead, before: nil, limit: 9).first?.lastError == "unreadable")
    }

    @Test("A second edge in the same folder is told so, and a file of something else, too")
    func misuse() throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        #expect(throws: InboxFileFailure.inUse(place.folder)) {
            _ = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        }
        withExtendedLifetime(store) {}
        let other = try StoreUnderTest()
        defer { other.clean() }
        try FileManager.default.createDirectory(atPath: other.folder, withIntermediateDirectories: true)
        try Data(repeating: 7, count: 9_000).write(to: URL(fileURLWithPath: "\(other.folder)/inbox.sqlite"))
        let failure = #expect(throws: InboxFileFailure.self) {
            _ = try SQLiteInboxStore(folder: other.folder, keys: other.keys)
        }
        #expect(failure?.description.contains("can't be read") ?? false)
        #expect(throws: InboxFileFailure.self) {
            _ = try SQLiteInboxStore(folder: "/dev/null/inbox", keys: place.keys)
        }
    }

    @Test("Nothing of what a message says can be found in the file")
    func sealed() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        var settings = InboxSettings()
        settings.verify = .init(scheme: .github, secret: "planted-secret")
        try await store.put(record("my-app", settings))
        let head = MessageHead(
            method: "POST",
            target: "/planted-target",
            bytes: Array("planted-head".utf8),
            prefixLength: 0
        )
        try await store.append(
            NewMessage(receivedAt: start, head: head, body: Array("planted-body".utf8)),
            to: id,
            keep: self.keep
        )
        for name in ["inbox.sqlite", "inbox.sqlite-wal"] {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(place.folder)/\(name)"))
            #expect(bytes.range(of: Data("planted".utf8)) == nil)
        }
    }

    @Test("A full file refuses what comes, is read on, and takes again once there is room")
    func full() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        var bounds = SQLiteInboxStore.Bounds()
        bounds.fileBytes = 1 << 20
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys, bounds: bounds)
        try await store.put(record("my-app"))
        var kept: [NewMessage] = []
        var isFull = false
        for number in 0..<200 where !isFull {
            let message = message(number, body: 20_000)
            do {
                try await store.append(message, to: id, keep: self.keep)
                kept.append(message)
            } catch {
                #expect(error as InboxStoreError == .full)
                isFull = true
            }
        }
        #expect(isFull && (30...52).contains(kept.count))
        #expect(try await store.message(kept[0].id, of: id)?.body == kept[0].body)
        #expect(try await store.figures()[id]?.waiting == kept.count)
        #expect(try await store.change(id, .all(.waiting), .delete, now: start) == kept.count)
        _ = try await store.sweep(now: start)
        try await store.append(message(1, body: 20_000), to: id, keep: self.keep)
    }

    @Test("Room is left on the disk for what is to be noted of messages: what comes is refused before")
    func reserve() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        var bounds = SQLiteInboxStore.Bounds()
        let kept = message(1)
        do {
            let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys, bounds: bounds)
            try await store.put(record("my-app"))
            try await store.append(kept, to: id, keep: self.keep)
            await store.close()
        }
        // More than any disk has.
        bounds.reserveBytes = 1 << 60
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys, bounds: bounds)
        await #expect(throws: InboxStoreError.full) { try await store.append(message(2), to: id, keep: self.keep) }
        let step = DeliveryStep(state: .delivered, attempts: 0, due: start, status: 200)
        try await store.conclude(kept.id, of: id, with: step, now: start)
        #expect(try await store.figures()[id]?.delivered == 1)
    }

    @Test("What is over goes, wherever it is between what stays, in steps that leave room for those who come")
    func retention() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let (id, gone) = (try #require(TunnelID("my-app")), try #require(TunnelID("gone")))
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        try await store.put(record("my-app"))
        try await store.put(record("gone"))
        var stays: Set<String> = []
        for number in 0..<300 {
            let message = message(number, body: 20_000)
            try await store.append(message, to: number % 3 == 0 ? gone : id, keep: self.keep)
            guard number % 3 == 1 else {
                if number % 3 == 2 { stays.insert(message.id) }
                continue
            }
            let step = DeliveryStep(state: .delivered, attempts: 1, due: start, status: 200)
            try await store.conclude(message.id, of: id, with: step, now: start)
        }
        try await store.remove(gone)
        func pages() async throws -> Int {
            try await store.pool.read { db in try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0 }
        }
        let before = try await pages()
        // While it is swept, messages come; none of them waits for the whole sweep.
        let late = start.addingTimeInterval(100 * 3_600)
        async let report = store.sweep(now: late)
        for number in 0..<20 {
            let message = message(1_000 + number, at: late)
            try await store.append(message, to: id, keep: self.keep)
            stays.insert(message.id)
        }
        #expect(try await report.deleted == 200)
        #expect(try await Set(store.page(id, state: nil, before: nil, limit: 400).map(\.id)) == stays)
        let (rest, free) = try await store.pool.read { db in
            (
                try Int.fetchOne(db, sql: "SELECT count(*) FROM body") ?? 0,
                try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            )
        }
        #expect(rest == stays.count && free == 0)
        #expect(try await pages() < before / 2)
        #expect(try await store.sweep(now: late).deleted == 0)
    }

    @Test("What is over is found by an index, not by reading every message")
    func plan() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        let plan = try await store.pool.read { db in
            try Row.fetchAll(
                db,
                sql: "EXPLAIN QUERY PLAN \(SQLiteInboxStore.over)",
                arguments: ["now": 0.0, "step": 1]
            )
            .map { $0["detail"] as String }
        }
        #expect(plan.contains { $0.contains("message_received") })
        #expect(!plan.contains { $0.hasPrefix("SCAN m") || $0.hasPrefix("SCAN message") }, "\(plan)")
    }

    @Test("A thousand that come at once share transactions, and all are there in some order")
    func crowd() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        try await store.put(record("my-app"))
        let sent = (0..<1_000).map { message($0) }
        try await withThrowingTaskGroup { group in
            for message in sent { group.addTask { try await store.append(message, to: id, keep: self.keep) } }
            try await group.waitForAll()
        }
        #expect(try await store.figures()[id]?.waiting == 1_000)
        #expect(Set(try await store.page(id, state: nil, before: nil, limit: 2_000).map(\.id)) == Set(sent.map(\.id)))
    }

    @Test("The log is copied beside those who write: it stays short, and at the end all of it is in the file")
    func checkpoints() async throws {
        let place = try StoreUnderTest()
        defer { place.clean() }
        let id = try #require(TunnelID("my-app"))
        let store = try SQLiteInboxStore(folder: place.folder, keys: place.keys)
        try await store.put(record("my-app"))
        #expect(try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        var longest = 0
        for round in 0..<40 {
            try await withThrowingTaskGroup { group in
                for number in 0..<32 {
                    group.addTask {
                        try await store.append(message(round * 32 + number, body: 20_000), to: id, keep: self.keep)
                    }
                }
                try await group.waitForAll()
            }
            let size = try FileManager.default.attributesOfItem(atPath: "\(place.folder)/inbox.sqlite-wal")[.size]
            longest = max(longest, size as? Int ?? .max)
        }
        // 26 MB have passed through it.
        let most = (LogCheckpoints.greatestLength + 1_024) * 4_120
        #expect(longest > LogCheckpoints.usualLength * 4_096 && longest < most, "\(longest)")
        await store.checkpoints.finish()
        let (length, copied) = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.passive) }
        #expect(length == copied)
        #expect(try await store.figures()[id]?.waiting == 1_280)
        await store.close()
    }

    @Test("A key file has whole keys, or is refused")
    func keyFiles() {
        #expect(SealingKeys("") == nil && SealingKeys("# only this\n") == nil)
        #expect(SealingKeys("abc") == nil && SealingKeys("\(SealingKeys.makeKey())\nx") == nil)
        #expect(SealingKeys("\(SealingKeys.makeKey())\r\n") != nil)
    }
}
