// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Certificates of this machine that sign themselves, in a folder of their own.
final class Certificates {
    /// Where they are.
    let folder = FileManager.default.temporaryDirectory.appending(path: "culvert-tls-\(UUID().uuidString)")

    /// Makes `NAME.pem` and `NAME.key` for each name.
    init(of names: [String]) throws {
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        for name in names {
            let openssl = Process()
            openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            openssl.arguments =
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
                + ["-keyout", self.path("\(name).key"), "-out", self.path("\(name).pem")]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
        }
    }

    deinit { try? FileManager.default.removeItem(at: self.folder) }

    /// A file of the folder.
    func path(_ name: String) -> String { self.folder.appending(path: name).path }

    /// What has a server of Redis show the one of `server`, beside its port.
    var arguments: [String] {
        [
            "--tls-cert-file", self.path("server.pem"), "--tls-key-file", self.path("server.key"),
            "--tls-ca-cert-file", self.path("server.pem"), "--tls-auth-clients", "no",
        ]
    }
}
