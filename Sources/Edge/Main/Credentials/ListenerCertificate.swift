// SPDX-License-Identifier: Apache-2.0

import NIOSSL

/// The certificate of the public listener as it is at the moment: connections that come later get the files' new state.
struct ListenerCertificate: Sendable {
    private let files: ReloadedTLS<NIOSSLContext>

    /// Reads the files; `nil` without `tls.certificate`.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    init?(_ configuration: EdgeConfiguration) throws {
        guard let certificate = configuration.certificateFile, let key = configuration.privateKeyFile else {
            return nil
        }
        self.files = try ReloadedTLS(of: [certificate, key]) {
            try ListenerTLS.context(certificate: certificate, key: key)
        }
    }

    /// What the next connection is encrypted with.
    var context: NIOSSLContext { self.files.current }

    /// Reads the files again if they have changed; see ``ReloadedTLS/reloadIfChanged()``.
    func reloadIfChanged() throws -> Bool { try self.files.reloadIfChanged() }
}
