// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The tables of the file.
enum InboxSchema {
    private static let pageSize = 4_096

    /// Opens the file, and makes or changes its tables.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - maximumBytes: How large it may become; what it is beyond that stays.
    ///   - length: Learns how long the log is.
    static func open(_ path: String, maximumBytes: Int, length: LogCheckpoints.Length) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.label = "culvert.inbox"
        configuration.busyMode = .timeout(2)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { db in
            guard !db.configuration.readonly else { return }
            // Before the first table: afterwards it would need a VACUUM of the whole file.
            if try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 {
                try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            }
            try db.execute(sql: "PRAGMA max_page_count = \(max(64, maximumBytes / self.pageSize))")
            length.follow(db)
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        // GRDB sets NORMAL for a write-ahead log, which forgets the last transactions when the power fails.
        try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
        try self.migrator.migrate(pool)
        return pool
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE inbox (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, tunnel TEXT NOT NULL UNIQUE, record BLOB NOT NULL,
                        keep_delivered INTEGER NOT NULL, keep_waiting INTEGER NOT NULL,
                        messages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
                    );
                    CREATE TABLE message (
                        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, inbox INTEGER NOT NULL,
                        state INTEGER NOT NULL, received REAL NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL,
                        size INTEGER NOT NULL, body_size INTEGER NOT NULL, verified INTEGER, status INTEGER, error TEXT,
                        head BLOB NOT NULL
                    );
                    CREATE INDEX message_state ON message (inbox, state, seq);
                    CREATE TABLE body (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
                    """
            )
        }
        // What is kept long enough is looked for every few seconds.
        migrator.registerMigration("2") { db in
            try db.execute(sql: "CREATE INDEX message_received ON message (inbox, state, received)")
        }
        return migrator
    }
}
