// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A certificate that is its own authority, and its key.
struct SelfSigned {
    let file: URL
    let key: URL

    /// Makes one.
    ///
    /// - Parameter name: Its subject alternative names, as in `DNS:example.com,IP:192.0.2.1`.
    init(name: String, in scratch: ScratchFolder) async throws {
        self.file = scratch.file("self-signed.pem")
        self.key = scratch.file("self-signed.key")
        let openssl = try RunningProcess(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=edge", "-addext", "subjectAltName=\(name)", "-keyout", self.key.path, "-out",
                self.file.path,
            ],
            in: scratch
        )
        _ = try await openssl.successfulOutput(within: .seconds(20))
    }

    /// How an edge is told of it.
    var edgeArguments: [String] { ["--tls-certificate", self.file.path, "--tls-key", self.key.path] }
}
