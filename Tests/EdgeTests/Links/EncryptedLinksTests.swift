// SPDX-License-Identifier: Apache-2.0

import Foundation
import RedisServer
import Testing

@testable import Edge

/// Whole edges that show each other certificates.
@Suite("Encrypted links", .serialized)
struct EncryptedLinksTests {
    /// Two certificates without anything in common, and a file with both.
    private struct Certificates {
        let folder: URL

        init(in folder: URL) throws {
            self.folder = folder
            try ListenerCertificateTests.makeCertificate(in: folder, prefix: "one-")
            try ListenerCertificateTests.makeCertificate(in: folder, prefix: "other-")
            let both = try ["one", "other"].map { try Data(contentsOf: folder.appending(path: "\($0)-tls.crt")) }
            try Data(both.joined()).write(to: folder.appending(path: "both.crt"))
        }

        /// The flags of an edge that shows the certificate of this name and trusts those of a file; none for a file that is
        /// `nil`.
        func flags(_ edge: String, trusting file: String?) -> [String] {
            guard let file else { return [] }
            return [
                "--cluster-tls-certificate", self.folder.appending(path: "\(edge)-tls.crt").path,
                "--cluster-tls-key", self.folder.appending(path: "\(edge)-tls.key").path,
                "--cluster-tls-ca", self.folder.appending(path: file).path,
            ]
        }
    }

    /// Asks an edge for a tunnel whose connector is at another one.
    ///
    /// - Parameters:
    ///   - one: Whom the edge with the connector trusts; `nil` if it does not encrypt.
    ///   - other: Whom the one that is asked trusts.
    ///   - body: Given the status, and both edges.
    private func ask(
        _ one: String?,
        _ other: String?,
        _ body: (Int, EdgeUnderTest, EdgeUnderTest) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "culvert-links-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let certificates = try Certificates(in: folder)
        let server = try RedisServer()
        let arguments = [
            "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen", "127.0.0.1:0",
            "--cluster-lease", "1s", "--tunnel-reconnect-hold", "1s",
        ]
        let key = ["CULVERT_AUTH_SIGNING_KEY": Data(repeating: 7, count: 32).base64EncodedString()]
        try await EdgeUnderTest.run(arguments + certificates.flags("one", trusting: one), environment: key) { one in
            try await EdgeUnderTest.run(arguments + certificates.flags("other", trusting: other), environment: key) {
                other in
                let connector = try await one.connect(try await one.makeTunnel(#"{"name":"my-app"}"#))
                try await one.until("the session is known") {
                    try server.ask(["HGETALL", "cv:t:my-app"]).contains("s:")
                }
                try await body(try await other.get("/my-app/").status, one, other)
                try await connector.drop()
            }
        }
    }

    @Test("Edges that take each other's certificate serve each other's tunnels")
    func bothTrusted() async throws {
        try await self.ask("both.crt", "both.crt") { status, one, other async throws -> Void in
            #expect(status == 200)
            #expect(try await other.metric("culvert_links") == 1)
            #expect(try await one.metric("culvert_link_streams_total", "relayed") == 1)
            #expect(try await other.metric("culvert_link_failures_total") == 0)
        }
    }

    @Test(
        "Edges open no link to each other where one does not take the other's certificate, or does not encrypt at all",
        arguments: [
            ("one-tls.crt", "both.crt"), ("both.crt", "other-tls.crt"), ("both.crt", nil), (nil, "both.crt"),
        ] as [(String?, String?)]
    )
    func strangers(_ one: String?, _ other: String?) async throws {
        try await self.ask(one, other) { status, one, other async throws -> Void in
            #expect(status == 503)
            #expect(try await other.metric("culvert_link_failures_total") >= 1)
            #expect(try await one.metric("culvert_links") == 0)
            #expect(try await one.metric("culvert_link_streams_total", "relayed") == 0)
        }
    }
}
