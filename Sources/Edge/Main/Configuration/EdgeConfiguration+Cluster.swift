// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Redis

extension EdgeConfiguration {
    /// Reads where the edge's registry is.
    mutating func readCluster(from reader: inout SettingsReader) {
        reader.read(
            "cluster.redis.url",
            into: &self.cluster.redisURL,
            help:
                "Redis or Valkey that remembers for the edge: redis://, rediss://, redis+sentinel:// or rediss+sentinel://"
        )
        reader.read(
            "cluster.redis.password-file",
            into: &self.cluster.redisPasswordFile,
            help: "file with its password"
        )
        reader.read(
            "cluster.redis.sentinel-password-file",
            into: &self.cluster.sentinelPasswordFile,
            help: "file with the password of its sentinels, if they want one"
        )
        reader.read("cluster.redis.ca", into: &self.cluster.redisCAFile, help: "whose certificates it shows, PEM")
        reader.read(
            "cluster.redis.prefix",
            into: &self.cluster.redisPrefix,
            help: "what the edge's keys in it begin with; edges of one prefix are one"
        )
        reader.read(
            "cluster.lease",
            into: &self.cluster.lease,
            in: .seconds(1) ... .minutes(5),
            help: "time after which an edge that says nothing counts as dead"
        )
        reader.read(
            "cluster.listen",
            into: &self.cluster.listen,
            help: "where other edges come for tunnels whose connectors are here, such as 0.0.0.0:8991"
        )
        reader.read(
            "cluster.advertise",
            into: &self.cluster.advertise,
            help: "where they reach it, where that differs: the address of this edge alone"
        )
        reader.read(
            "cluster.tls.certificate",
            into: &self.cluster.certificateFile,
            help: "certificate that this edge shows to other edges, PEM; without it what passes between them is plain"
        )
        reader.read("cluster.tls.key", into: &self.cluster.privateKeyFile, help: "its private key, PEM")
        reader.read(
            "cluster.tls.ca",
            into: &self.cluster.authorityFile,
            help: "whose certificates other edges have to show, PEM"
        )
        reader.read(
            "cluster.max-guests",
            into: &self.cluster.maxGuests,
            in: 1...10_000_000,
            help: "most tunnels that an edge keeps only because visitors came for them"
        )
        reader.read(
            "cluster.rebalance",
            into: &self.cluster.rebalance,
            help: "ask connectors, few at a time, to connect anew where this edge has more of them than others"
        )
        self.checkCluster(&reader)
        self.checkLinks(&reader)
    }

    private func checkLinks(_ reader: inout SettingsReader) {
        let files = self.cluster.tlsFiles
        let set = files.first { $0.path != nil }
        if let set, let missing = files.first(where: { $0.path == nil }) {
            reader.report(
                set.setting,
                "cluster.tls.certificate, .key and .ca need each other, and \(missing.setting) is not set"
            )
        }
        guard let listen = self.cluster.listen else {
            if let set { reader.report(set.setting, "there is no cluster.listen that this could be for") }
            if self.cluster.advertise != nil {
                reader.report("cluster.advertise", "there is no cluster.listen that this could be for")
            }
            return
        }
        if self.cluster.redisURL == nil {
            reader.report("cluster.listen", "edges find each other by cluster.redis.url, which is not set")
        }
        if self.cluster.advertise == nil, ["0.0.0.0", "::"].contains(listen.host) {
            reader.report(
                "cluster.listen",
                "\(listen.host) is no address that other edges could dial: set cluster.advertise"
            )
        }
    }

    private func checkCluster(_ reader: inout SettingsReader) {
        guard let url = self.cluster.redisURL else {
            for (key, value) in [
                ("cluster.redis.password-file", self.cluster.redisPasswordFile),
                ("cluster.redis.sentinel-password-file", self.cluster.sentinelPasswordFile),
                ("cluster.redis.ca", self.cluster.redisCAFile),
            ] where value != nil {
                reader.report(key, "there is no cluster.redis.url that this could be for")
            }
            return
        }
        #if Redis
        let place = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        if place.contains("@"), place.prefix(while: { $0 != "@" }).contains(":") {
            // Not shown: it may hold a password.
            reader.report(
                "cluster.redis.url",
                "a password belongs into the file that cluster.redis.password-file names"
            )
        } else if let redis = RedisURL(url) {
            if self.cluster.sentinelPasswordFile != nil, !redis.hasSentinels {
                reader.report(
                    "cluster.redis.sentinel-password-file",
                    "cluster.redis.url names no sentinels that this could be for"
                )
            }
        } else {
            reader.report(
                "cluster.redis.url",
                "\"\(url)\" is not redis://HOST:PORT, rediss://USER@HOST:PORT, redis+sentinel://HOST,HOST/NAME or "
                    + "rediss+sentinel://HOST,HOST/NAME"
            )
        }
        #else
        _ = url
        reader.report("cluster.redis.url", "this build has no Redis: build it with the trait Redis")
        #endif
        let isPrefix = self.cluster.redisPrefix.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        if !isPrefix || !(1...64).contains(self.cluster.redisPrefix.utf8.count) {
            reader.report("cluster.redis.prefix", "the prefix has to be 1 to 64 letters, digits and any of :_.-")
        }
    }
}
