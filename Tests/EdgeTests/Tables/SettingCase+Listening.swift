// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// Where the edge is, and how it is reached.
    static var listening: [SettingCase] {
        [
            SettingCase("dev") {
                try await EdgeUnderTest.run(["--dev"], without: ["CULVERT_DEV", "CULVERT_AUTH_API_KEY"]) { edge in
                    // Nothing but this machine, and credentials made for the run.
                    #expect(edge.addresses.listen.isLoopback)
                    let answer = try await edge.call("GET", "tunnels/list")
                    #expect(answer.status == 401)
                }
                #expect(EdgeUnderTest.read([], without: ["CULVERT_DEV", "CULVERT_AUTH_API_KEY"]).problems.count == 2)
            },
            SettingCase("environment") {
                try await EdgeUnderTest.run(["--environment", "sandbox"]) { edge in
                    let value = try await edge.metric("culvert_build_info", #"environment="sandbox""#)
                    #expect(value == 1)
                }
                let strict = EdgeUnderTest.read(["--environment", "production"]).problems
                #expect(strict.contains { $0.hasPrefix("public.url ") })
            },
            SettingCase("listen") {
                try await EdgeUnderTest.run(["--listen", "127.0.0.2:0"]) { edge in
                    #expect(edge.addresses.listen.host == "127.0.0.2")
                    let answer = try await edge.get("/nobody/")
                    #expect(answer.status == 404)
                }
            },
            SettingCase("admin.listen") {
                try await EdgeUnderTest.run(["--admin-listen", "127.0.0.3:0"]) { edge in
                    #expect(edge.addresses.admin.host == "127.0.0.3")
                    let answer = try await edge.admin("/healthz")
                    #expect(answer.status == 200)
                }
            },
            SettingCase("public.url") {
                try await EdgeUnderTest.run(["--public-url", "https://tunnels.example/"]) { edge in
                    let tunnel = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                    #expect(tunnel.url == "https://tunnels.example/my-app/")
                }
            },
            SettingCase("public.wildcard-domain") {
                try await EdgeUnderTest.run(["--public-wildcard-domain", "t.example"]) { edge in
                    _ = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                    let host = try await edge.get("/", fields: [("Host", "my-app.t.example")])
                    #expect(host["Culvert-Error"] == "tunnel_offline")
                }
                try await EdgeUnderTest.run { edge in
                    _ = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                    let host = try await edge.get("/", fields: [("Host", "my-app.t.example")])
                    #expect(host["Culvert-Error"] == "tunnel_not_found")
                }
            },
            SettingCase("public.path-mode") {
                let settings = ["--public-wildcard-domain", "t.example", "--public-path-mode", "off"]
                try await EdgeUnderTest.run(settings) { edge in
                    let tunnel = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                    #expect(tunnel.urls?.count == 1)
                    #expect(try await edge.get("/my-app/")["Culvert-Error"] == "tunnel_not_found")
                    let host = try await edge.get("/", fields: [("Host", "my-app.t.example")])
                    #expect(host["Culvert-Error"] == "tunnel_offline")
                }
                let alone = EdgeUnderTest.read(["--environment", "sandbox", "--public-path-mode", "off"]).problems
                #expect(alone.contains { $0.hasPrefix("public.path-mode ") } || alone.isEmpty)
            },
            SettingCase("public.path-fallback") {
                for (settings, status) in [([], 307), (["--public-path-fallback", "off"], 404)] {
                    try await EdgeUnderTest.run(settings) { edge in
                        _ = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                        let fields = [("Host", "edge.example"), ("Referer", "http://edge.example/my-app/")]
                        #expect(try await edge.get("/assets/app.js", fields: fields).status == status)
                    }
                }
            },
            SettingCase("public.api-host") {
                try await EdgeUnderTest.run(["--public-api-host", "api.example"]) { edge in
                    let elsewhere = try await edge.get("/api/tunnels/list")
                    #expect(elsewhere.status == 404)
                    let own = try await edge.get("/api/tunnels/list", fields: [("Host", "api.example")])
                    #expect(own.status == 401)
                }
                #expect(!EdgeUnderTest.read(["--public-api-host", "not a host"]).problems.isEmpty)
            },
            SettingCase("tls.certificate") {
                try await Self.withCertificates { folder in
                    let (certificate, key) = (
                        folder.appending(path: "tls.crt").path, folder.appending(path: "tls.key").path
                    )
                    try await EdgeUnderTest.run(["--tls-certificate", certificate, "--tls-key", key]) { edge in
                        #expect(edge.addresses.publicURL.hasPrefix("https://"))
                        let peer = try Self.peerCertificate(at: edge.addresses.listen)
                        #expect(peer.contains("CN = edge") || peer.contains("CN=edge"), "\(peer)")
                        let page = try await edge.get("/nobody/", fields: [("Accept", "text/html")])
                        #expect(page.status == 400 && page["Content-Type"]?.hasPrefix("text/html") == true)
                    }
                    let alone = EdgeUnderTest.read(["--tls-certificate", certificate]).problems
                    #expect(alone.contains { $0.contains("need each other") })
                }
            },
            SettingCase("tls.key") {
                try await Self.withCertificates { folder in
                    let (certificate, key) = (
                        folder.appending(path: "tls.crt").path, folder.appending(path: "new-tls.key").path
                    )
                    let wrong = EdgeUnderTest.read(["--tls-certificate", certificate, "--tls-key", key]).problems
                    #expect(wrong.count == 1)
                    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
                    let open = EdgeUnderTest.read(["--tls-certificate", certificate, "--tls-key", key]).problems
                    #expect(open.contains { $0.hasPrefix("tls.key (flag): ") && $0.contains("chmod 600") })
                }
            },
        ]
    }

    /// Gives two pairs of a certificate and a key that do not belong together.
    static func withCertificates(_ body: (URL) async throws -> Void) async throws {
        try await self.inFolder { folder in
            try ListenerCertificateTests.makeCertificate(in: folder)
            try ListenerCertificateTests.makeCertificate(in: folder, prefix: "new-")
            try await body(folder)
        }
    }

    /// Gives a folder that is removed afterwards.
    static func inFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "culvert-table-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    /// What OpenSSL says of the certificate of whoever listens there.
    private static func peerCertificate(at address: ListenAddress) throws -> String {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = ["s_client", "-connect", "\(address)"]
        let output = Pipe()
        openssl.standardInput = FileHandle.nullDevice
        openssl.standardOutput = output
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        openssl.waitUntilExit()
        return text
    }
}
