// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The settings of webhook inboxes.
extension EdgeConfiguration {
    /// Where inboxes are kept, and how much.
    struct Inbox: Sendable {
        /// The folder of their file; `nil` for an edge without inboxes, or with `--dev` for inboxes in memory.
        var directory: String?
        var keyFile: String?
        var maxSize = ByteCount(1 << 30)
        var maxPerKey = 10
    }

    /// Reads where inboxes are kept.
    mutating func readInbox(from reader: inout SettingsReader) {
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
            help: "what all inboxes take on disk; what comes then is refused"
        )
        reader.read("inbox.max-per-key", into: &self.inbox.maxPerKey, in: 1...10_000, help: "inboxes of one API key")
    }

    func checkInbox(_ reader: inout SettingsReader) {
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
                "edges that share cluster.redis.url would each keep messages that no other could hand over"
            )
        }
    }
}
