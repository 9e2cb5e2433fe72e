// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Program
import RedisServer
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// What remembers for the edge.
    static var cluster: [SettingCase] {
        [
            SettingCase("cluster.redis.url") {
                let server = try RedisServer()
                try await EdgeUnderTest.run(["--cluster-redis-url", "redis://127.0.0.1:\(server.port)"]) { edge in
                    try await edge.connectsToRegistry()
                    let tunnel = try await edge.makeTunnel()
                    #expect(try server.ask(["HGET", "cv:t:\(tunnel.tunnelID)", "o"]) == "environment")
                }
                Self.refuses(["--cluster-redis-url", "http://redis"], "cluster.redis.url")
                Self.refuses(["--cluster-redis-url", "redis://user:secret@redis"], "cluster.redis.password-file")
                // Who has a name of their own there has no password in the URL.
                for url in ["redis+sentinel://user@a,b/edges", "rediss+sentinel://user@a,b/edges"] {
                    #expect(EdgeUnderTest.read(["--cluster-redis-url", url]).problems == [])
                }
            },
            SettingCase("cluster.redis.password-file") {
                let server = try RedisServer(["--requirepass", "right"])
                try await Self.inFolder { folder in
                    let file = folder.appending(path: "password")
                    try Data("right\n".utf8).write(to: file)
                    let arguments = [
                        "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-redis-password-file",
                        file.path,
                    ]
                    Self.refuses(arguments, "chmod 600")
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
                    try await EdgeUnderTest.run(arguments) { try await $0.connectsToRegistry() }
                }
                Self.refuses(["--cluster-redis-password-file", "/nowhere"], "no cluster.redis.url")
            },
            SettingCase("cluster.redis.sentinel-password-file") {
                try await Self.inFolder { folder in
                    let primary = try RedisServer()
                    let configuration = folder.appending(path: "sentinel.conf")
                    try Data("sentinel monitor edges 127.0.0.1 \(primary.port) 1\n".utf8).write(to: configuration)
                    let sentinel = try RedisServer([configuration.path, "--sentinel", "--requirepass", "right"])
                    let file = folder.appending(path: "password")
                    try Data("right\n".utf8).write(to: file)
                    let url = ["--cluster-redis-url", "redis+sentinel://127.0.0.1:\(sentinel.port)/edges"]
                    let arguments = url + ["--cluster-redis-sentinel-password-file", file.path]
                    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
                    Self.refuses(arguments, "cluster.redis.sentinel-password-file (flag): ")
                    Self.refuses(arguments, "chmod 600")
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
                    try await EdgeUnderTest.run(arguments) { try await $0.connectsToRegistry() }
                }
                let file = ["--cluster-redis-sentinel-password-file", "/nowhere"]
                Self.refuses(file, "no cluster.redis.url")
                Self.refuses(file + ["--cluster-redis-url", "rediss://redis"], "names no sentinels")
            },
            SettingCase("cluster.redis.ca") {
                let url = ["--cluster-redis-url", "rediss://127.0.0.1:1", "--cluster-redis-ca"]
                Self.refuses(url + ["/nowhere"], "no such file")
                Self.refuses(url + ["/dev/null"], "no certificate")
                #expect(EdgeUnderTest.read(url + ["/etc/ssl/certs/ca-certificates.crt"]).problems == [])
            },
            SettingCase("cluster.redis.prefix") {
                let server = try RedisServer()
                let url = ["--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-redis-prefix"]
                try await EdgeUnderTest.run(url + ["mine:"]) { edge in
                    try await edge.connectsToRegistry()
                    let tunnel = try await edge.makeTunnel()
                    #expect(try server.ask(["HGET", "mine:t:\(tunnel.tunnelID)", "o"]) == "environment")
                }
                Self.refuses(url + ["a b"], "letters, digits")
            },
            SettingCase("cluster.lease") {
                let server = try RedisServer()
                let url = ["--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-lease", "1s"]
                try await EdgeUnderTest.run(url) { edge in
                    // What a dead edge left is taken away soon.
                    try server.ask(["ZADD", "cv:pods", "1", "dead"])
                    try await edge.until("it is taken away") { try server.ask(["ZCARD", "cv:pods"]) == "1" }
                }
                // And an edge that has stopped left nothing.
                #expect(try server.ask(["ZCARD", "cv:pods"]) == "0")
            },
            SettingCase("cluster.listen") {
                let (server, port) = (try RedisServer(), try RedisServer.freePort())
                let arguments = ["--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen"]
                try await EdgeUnderTest.run(arguments + ["127.0.0.1:\(port)"]) { edge in
                    let visitor = try await RawVisitor.connect(to: ListenAddress(host: "127.0.0.1", port: port))
                    try await visitor.send("GET /peer HTTP/1.1\r\nHost: edge\r\n\r\n")
                    #expect(try await visitor.answer().status == 426)
                    try await edge.until("other edges are told") {
                        try server.ask(["HVALS", "cv:podinfo"]).contains("127.0.0.1:\(port)")
                    }
                }
                Self.refuses(["--cluster-listen", "127.0.0.1:1"], "cluster.redis.url")
                Self.refuses(arguments + ["0.0.0.0:1"], "cluster.advertise")
            },
            SettingCase("cluster.advertise") {
                let server = try RedisServer()
                let arguments = [
                    "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen", "0.0.0.0:0",
                    "--cluster-advertise", "10.0.0.7:8991",
                ]
                try await EdgeUnderTest.run(arguments) { edge in
                    try await edge.until("others are told") {
                        try server.ask(["HVALS", "cv:podinfo"]).contains("10.0.0.7:8991")
                    }
                }
                Self.refuses(["--cluster-advertise", "10.0.0.7:1"], "no cluster.listen")
            },
            SettingCase("cluster.tls.certificate") {
                // That it encrypts, and who is taken, EncryptedLinksTests shows.
                try await Self.withLinkCertificate { flags in
                    #expect(EdgeUnderTest.read(flags()).problems == [])
                    Self.refuses(flags(certificate: "new-tls.crt"), "don't belong together")
                    Self.refuses(flags(certificate: "tls.key"), "no PEM certificate")
                    Self.refuses(flags(certificate: "nothing"), "no such file")
                }
                Self.refuses(["--cluster-tls-certificate", "/a"], "cluster.tls.key is not set")
                Self.refuses(["--cluster-tls-certificate", "/a"], "no cluster.listen")
            },
            SettingCase("cluster.tls.key") {
                try await Self.withLinkCertificate { flags in
                    Self.refuses(flags(key: "nothing"), "no such file")
                    let key = flags()[7]
                    try Data("no key".utf8).write(to: URL(filePath: key))
                    Self.refuses(flags(), "no PEM private key")
                    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
                    Self.refuses(flags(), "cluster.tls.key (flag): ")
                    Self.refuses(flags(), "chmod 600")
                }
                Self.refuses(["--cluster-tls-key", "/a"], "cluster.tls.certificate is not set")
            },
            SettingCase("cluster.tls.ca") {
                try await Self.withLinkCertificate { flags in
                    Self.refuses(flags(authority: "new-tls.key"), "cluster.tls.ca (flag): ")
                }
                Self.refuses(["--cluster-tls-ca", "/a"], "cluster.tls.certificate is not set")
            },
            SettingCase("cluster.max-guests") {
                let server = try RedisServer()
                let url = ["--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-lease", "1s"]
                try await EdgeUnderTest.run(url) { one in
                    try await EdgeUnderTest.run(url + ["--cluster-max-guests", "2"]) { other in
                        for name in ["one", "two", "three", "four"] {
                            _ = try await one.makeTunnel(#"{"name":"\#(name)"}"#)
                            #expect(try await other.get("/\(name)/")["Culvert-Error"] == "tunnel_offline")
                        }
                        try await other.until("they are counted") {
                            let count = try await other.metric("culvert_guests")
                            return count > 0 && count <= 2
                        }
                    }
                }
                Self.refuses(url + ["--cluster-max-guests", "0"], "1 or more")
            },
            SettingCase("cluster.rebalance") {
                let server = try RedisServer()
                let arguments = [
                    "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen", "127.0.0.1:0",
                    "--cluster-rebalance",
                ]
                try await EdgeUnderTest.run(arguments) { edge in
                    try await edge.until("others are told how many connectors are here") {
                        try server.ask(["HVALS", "cv:podinfo"]).contains(#""c":0"#)
                    }
                }
            },
        ]
    }

    /// The flags of an edge that encrypts links; the sixth is the certificate's file, the eighth the key's.
    private struct LinkFlags {
        let folder: URL

        func callAsFunction(
            certificate: String = "tls.crt",
            key: String = "tls.key",
            authority: String = "tls.crt"
        ) -> [String] {
            [
                "--cluster-redis-url", "redis://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0",
                "--cluster-tls-certificate", self.folder.appending(path: certificate).path,
                "--cluster-tls-key", self.folder.appending(path: key).path,
                "--cluster-tls-ca", self.folder.appending(path: authority).path,
            ]
        }
    }

    private static func withLinkCertificate(_ body: (LinkFlags) async throws -> Void) async throws {
        try await self.withCertificates { try await body(LinkFlags(folder: $0)) }
    }

    private static func refuses(_ arguments: [String], _ complaint: String) {
        let problems = EdgeUnderTest.read(arguments).problems
        #expect(problems.contains { $0.contains(complaint) }, "\(problems)")
    }
}
