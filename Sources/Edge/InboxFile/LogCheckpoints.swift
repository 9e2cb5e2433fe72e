// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import Synchronization

/// Copies the write-ahead log into the file beside those who write.
///
/// By itself SQLite does so within the commit that makes the log a thousand pages long: whoever has that commit waits until the
/// disk has taken all of them. Here a connection of its own copies them, which holds up nobody, and the writer only what has
/// come meanwhile: a few pages, after which it begins the log anew.
final class LogCheckpoints: Sendable {
    /// How long the log was after the last commit, in pages; the writer's connection tells.
    final class Length: Sendable {
        fileprivate let pages = Atomic<Int>(0)

        /// Has a connection tell after each of its commits, in the place of SQLite's own checkpoints.
        ///
        /// The connection holds no reference: whoever has it keeps this as long.
        func follow(_ db: Database) {
            _ = sqlite3_wal_hook(
                db.sqliteConnection,
                { context, _, _, pages in
                    guard let context else { return SQLITE_OK }
                    let length = Unmanaged<Length>.fromOpaque(context).takeUnretainedValue()
                    length.pages.store(Int(pages), ordering: .relaxed)
                    return SQLITE_OK
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
        }
    }

    private struct State {
        /// The pass that is under way.
        var pass: Task<Void, Never>?
        /// How much of the log is in the file.
        var copied = 0
        var isClosed = false
    }

    private let length: Length
    private let pool: DatabasePool
    private let queue: DatabaseQueue
    private let state = Mutex(State())

    /// From how many pages on the log is copied, as SQLite itself does: 4 MiB.
    static let usualLength = 1_000
    /// The most pages that it may have before those who write wait for a pass: 12 MiB.
    static let greatestLength = 3_000

    /// Opens a connection to the file of a pool.
    ///
    /// - Parameters:
    ///   - pool: Who writes.
    ///   - length: What its writer tells.
    init(_ pool: DatabasePool, length: Length) throws {
        var configuration = Configuration()
        configuration.label = "culvert.inbox.checkpoint"
        configuration.busyMode = .timeout(2)
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
        self.pool = pool
        self.length = length
        self.queue = try DatabaseQueue(path: pool.path, configuration: configuration)
    }

    /// Something was written: begins a pass if the log has become long.
    func wrote() {
        let pages = self.length.pages.load(ordering: .relaxed)
        self.state.withLock { state in
            if pages < state.copied { state.copied = 0 }
            // Where somebody reads, the log goes on behind what is copied already.
            guard pages >= Self.usualLength, pages - state.copied >= Self.usualLength / 2 else { return }
            guard state.pass == nil, !state.isClosed else { return }
            state.pass = Task { await self.pass() }
        }
    }

    /// Waits while the log is too long, for who is going to write.
    func room() async {
        guard self.length.pages.load(ordering: .relaxed) > Self.greatestLength else { return }
        await self.state.withLock { $0.pass }?.value
    }

    /// Copies all of the log that nobody reads, and gives back what the file has become shorter.
    func finish() async {
        let pass = self.state.withLock { state -> Task<Void, Never>? in
            guard !state.isClosed else { return state.pass }
            if state.pass == nil { state.pass = Task { await self.pass() } }
            return state.pass
        }
        await pass?.value
    }

    /// Ends the connection; nothing is copied any more.
    func close() async {
        let pass = self.state.withLock { state in
            state.isClosed = true
            return state.pass
        }
        await pass?.value
        try? self.queue.close()
    }

    /// A pass that fails is made again after the next commit, which says why if the file is at fault.
    private func pass() async {
        _ = try? await self.queue.writeWithoutTransaction { db in try db.checkpoint(.passive) }
        let copied = try? await self.pool.writeWithoutTransaction { db in try db.checkpoint(.passive) }
        self.state.withLock { state in
            state.copied = copied?.checkpointedFrameCount ?? 0
            state.pass = nil
        }
    }
}
