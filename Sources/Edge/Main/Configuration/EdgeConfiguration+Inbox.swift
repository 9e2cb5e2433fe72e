// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The settings of webhook inboxes.
extension EdgeConfiguration {
    /// What keeps inboxes.
    enum InboxStoreKind: String, CaseIterable, SettingValue {
        /// A file in a folder of this edge.
        case file
        /// The Redis that edges share.
        case redis

        static var expectation: String { "file or redis" }

        init?(setting text: String) { self.init(rawValue: text) }

        var settingText: String { self.rawValue }
    }

    /// Where inboxes are kept, and how much.
    struct Inbox: Sendable {
        var store = InboxStoreKind.file
        /// The folder of their file; `nil` for an edge without inboxes, or with `--dev` for inboxes in memory.
        var directory: String?
        var keyFile: String?
        var maxSize = ByteCount(1 << 30)
        var maxPerKey = 10
    }

    /// Reads where inboxes are kept.
    mutating func readInbox(from reader: inout SettingsReader) {
        reader.read(
            "inbox.store",
            into: &self.inbox.store,
            help: "what keeps webhooks that nobody can take: file, or redis (cluster.redis.url), for several edges"
        )
        reader.read(
            "inbox.directory",
            into: &self.inbox.directory,
            help: "folder, of this edge alone, where webhooks are kept that nobody can take; none by default"
        )
        reader.read("inbox.key-file", into: &self.inbox.keyFile, help: "file with the key that seals them")
        reader.read(
            "inbox.max-size",
            into: &self.inbox.maxSize,
            in: ByteCount(1 << 20)...ByteCount(1 << 40),
            help: "what all inboxes take; what comes then is refused"
        )
        reader.read("inbox.max-per-key", into: &self.inbox.maxPerKey, in: 1...10_000, help: "inboxes of one API key")
    }

    func checkInbox(_ reader: inout SettingsReader) {
        guard self.inbox.store == .file else { return self.checkInboxInRedis(&reader) }
        guard self.inbox.directory != nil else {
            if self.inbox.keyFile != nil {
                reader.report("inbox.key-file", "there is no inbox.directory that this could be for")
            }
            return
        }
        if self.inbox.keyFile == nil, !self.isDevelopment {
            reader.report("inbox.key-file", "inbox.directory needs a key, as openssl rand -base64 32 writes one")
        }
        if self.cluster.redisURL != nil {
            reader.report(
                "inbox.directory",
                "edges that share cluster.redis.url would each keep messages that no other could hand over: "
                    + "set inbox.store to redis instead"
            )
        }
    }

    private func checkInboxInRedis(_ reader: inout SettingsReader) {
        if self.cluster.redisURL == nil {
            reader.report("inbox.store", "redis is the one of cluster.redis.url, which is not set")
        }
        if self.inbox.directory != nil {
            reader.report("inbox.directory", "inbox.store is redis: there is no folder")
        }
        if self.inbox.keyFile == nil {
            reader.report("inbox.key-file", "inboxes in Redis need a key, as openssl rand -base64 32 writes one")
        }
    }
}
