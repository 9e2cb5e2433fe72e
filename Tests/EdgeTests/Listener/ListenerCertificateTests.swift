// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge

@Suite("The listener's certificate")
struct ListenerCertificateTests {
    /// Makes `tls.crt` and `tls.key`, of a name `edge`, with the prefix before their names.
    static func makeCertificate(in folder: URL, prefix: String = "") throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=edge",
            "-days", "2", "-keyout", folder.appendingPathComponent("\(prefix)tls.key").path, "-out",
            folder.appendingPathComponent("\(prefix)tls.crt").path,
        ]
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
    }
}
