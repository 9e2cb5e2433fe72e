// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Foundation
import Testing

@testable import Edge

@Suite("The listener's certificate")
struct ListenerCertificateTests {
    /// Makes `tls.crt` and `tls.key`, of a name `edge`, with the prefix before their names.
    ///
    /// - Parameter alternatives: The extension with the names that it is for, if there are any.
    static func makeCertificate(in folder: URL, prefix: String = "", alternatives: String? = nil) throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments =
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=edge",
                "-days", "2", "-keyout", folder.appendingPathComponent("\(prefix)tls.key").path, "-out",
                folder.appendingPathComponent("\(prefix)tls.crt").path,
            ] + (alternatives.map { ["-addext", $0] } ?? [])
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
    }

    private func move(_ name: String, to other: String, in folder: URL) throws {
        let target = folder.appendingPathComponent(other)
        try FileManager.default.removeItem(at: target)
        try FileManager.default.moveItem(at: folder.appendingPathComponent(name), to: target)
    }

    @Test("Changed files are taken up once both belong together; until then the old ones stay in use")
    func reload() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.makeCertificate(in: folder)
        var configuration = EdgeConfiguration()
        configuration.certificateFile = folder.appendingPathComponent("tls.crt").path
        configuration.privateKeyFile = folder.appendingPathComponent("tls.key").path
        let certificate = try #require(try ListenerCertificate(configuration))
        let first = certificate.context
        #expect(try !certificate.reloadIfChanged())

        try Self.makeCertificate(in: folder, prefix: "new-")
        try self.move("new-tls.crt", to: "tls.crt", in: folder)
        #expect(throws: CredentialFiles.Failure.self) { try certificate.reloadIfChanged() }
        #expect(certificate.context === first)

        try self.move("new-tls.key", to: "tls.key", in: folder)
        #expect(try certificate.reloadIfChanged())
        #expect(certificate.context !== first)
        #expect(try !certificate.reloadIfChanged())
    }

    @Test("Without files there is no certificate")
    func none() throws {
        #expect(try ListenerCertificate(EdgeConfiguration()) == nil)
        #expect(ListenerTLS.warnings(EdgeConfiguration()) == [])
    }

    @Test("A name is covered by itself, or by * in the place of its first label")
    func names() {
        let fitness = CertificateFitness(
            names: ["tunnels.example.com", "*.Tunnels.example.com", "*.localhost"],
            addresses: ["192.0.2.1", "2001:db8:0:0:0:0:0:1"],
            begin: .distantPast,
            end: .distantFuture
        )
        for host in ["tunnels.example.com", "MY-APP.tunnels.example.com", "192.0.2.1", "2001:db8::1"] {
            #expect(fitness.covers(host), "\(host)")
        }
        for host in ["example.com", "a.b.tunnels.example.com", "tunnels.example.org", "a.localhost", "192.0.2.2"] {
            #expect(!fitness.covers(host), "\(host)")
        }
    }

    @Test("A certificate of other hosts or another time is told, with the hosts that it is for")
    func fitness() {
        let begin = Date(timeIntervalSince1970: 1_700_000_000)
        let fitness = CertificateFitness(names: ["a.example"], begin: begin, end: begin.addingTimeInterval(100))
        let within = begin.addingTimeInterval(50)
        #expect(fitness.faults(hosts: ["a.example"], now: within) == [])
        #expect(
            fitness.faults(hosts: ["b.example", "*.a.example", "a.example"], now: within) == [
                "the certificate is not for b.example and *.a.example, and it is for a.example: visitors and connectors "
                    + "refuse it there"
            ]
        )
        let short = fitness.faults(hosts: ["*.localhost"], now: within)
        #expect(short.first?.hasPrefix("clients take no * directly below a name of one label") == true)
        let early = fitness.faults(hosts: [], now: begin.addingTimeInterval(-1))
        #expect(early == ["the certificate is not valid before 2023-11-14T22:13:20Z"])
        let late = fitness.faults(hosts: [], now: begin.addingTimeInterval(100))
        #expect(late == ["the certificate has expired, on 2023-11-14T22:15:00Z: renew it"])
    }

    @Test("The file's certificate is held against the public URL, the API's host and the domain of the tunnels")
    func warnings() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let alternatives = "subjectAltName=DNS:tunnels.test,DNS:*.tunnels.test,IP:192.0.2.1,IP:2001:db8::1"
        try Self.makeCertificate(in: folder, alternatives: alternatives)
        try Self.makeCertificate(in: folder, prefix: "old-")
        var configuration = EdgeConfiguration()
        configuration.certificateFile = folder.appendingPathComponent("tls.crt").path
        configuration.publicURL = "https://tunnels.test:8443"
        configuration.wildcardDomain = "tunnels.test"
        #expect(ListenerTLS.warnings(configuration) == [])
        configuration.apiHost = "api.example"
        let other = ListenerTLS.warnings(configuration).first
        #expect(other?.contains("not for api.example, and it is for tunnels.test") == true)
        // Browsers take no name of the subject; connectors do.
        configuration.certificateFile = folder.appendingPathComponent("old-tls.crt").path
        configuration.publicURL = "https://edge"
        configuration.apiHost = nil
        configuration.wildcardDomain = nil
        let nameless = ListenerTLS.warnings(configuration).first
        #expect(nameless?.contains("it names none in its subjectAltName: browsers refuse it") == true)
        #expect(nameless?.contains("connectors") == false)
        configuration.publicURL = "http://edge"
        #expect(ListenerTLS.warnings(configuration).count == 1)
        #expect(ListenerTLS.warnings(configuration).first?.contains("write https://") == true)
        configuration.certificateFile = nil
        #expect(ListenerTLS.warnings(configuration) == [])
        configuration.publicURL = "https://edge"
        #expect(ListenerTLS.warnings(configuration).first?.contains("this edge speaks no TLS") == true)
        configuration.http.trustedProxies = [try #require(AddressRange("10.0.0.0/8"))]
        #expect(ListenerTLS.warnings(configuration) == [])
        configuration.publicURL = "https://192.0.2.1"
        configuration.certificateFile = folder.appendingPathComponent("tls.crt").path
        #expect(ListenerTLS.warnings(configuration) == [])
    }
}
