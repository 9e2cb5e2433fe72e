// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOSSL
import Program

/// Which certificates of an `https://` target are accepted.
package struct OriginTrust: Hashable, Sendable {
    /// Whether the certificate has to be trusted and to match the host.
    package var verifies: Bool
    /// The only authorities to trust; `nil` means those of the system.
    package var authorities: CertificateAuthorities?
    /// The name that the connector asks the target for and that its certificate has to have; `nil` takes the target's own
    /// host.
    package var serverName: String?
    /// How advice about it is worded.
    package var settings = Settings.flags

    /// Where a person says which certificates are accepted.
    package enum Settings: Hashable, Sendable {
        case flags
        case file

        var authorities: String { self == .flags ? "--origin-ca-file" : "“origin-ca-file”" }
        var noVerification: String { self == .flags ? "--origin-tls-verify off" : "“origin-tls-verify: off”" }
        var host: String { self == .flags ? "--host-header" : "“host-header”" }
    }

    /// Trusts the authorities of the system, by default.
    package init(
        verifies: Bool = true,
        authorities: CertificateAuthorities? = nil,
        settings: Settings = .flags
    ) {
        self.verifies = verifies
        self.authorities = authorities
        self.settings = settings
    }

    /// The same for a target that is sent this value of `Host`: a server that has several names is asked for that one,
    /// as by a browser (RFC 6066 §3).
    ///
    /// - Parameter host: The value, if it is known; `localhost` is what an edge writes that was told a port alone.
    package func naming(_ host: String?) -> OriginTrust {
        guard let host, let name = (try? Authority(parsing: host[...]))?.host, name != "localhost" else { return self }
        var trust = self
        trust.serverName = name
        return trust
    }
}

/// The certificates of a PEM file, read once.
///
/// Two are equal if path and bytes are equal, so that a reload notices a file whose certificates were replaced.
package struct CertificateAuthorities: Hashable, Sendable {
    let path: String
    private let pem: Data

    /// The largest file that is read, in bytes; the list of a Linux distribution has a quarter of it.
    static let largestFile = 1 << 20

    /// Reads the file.
    ///
    /// - Throws: ``CommandFailure`` if there is no certificate in it.
    package init(reading path: String) throws(CommandFailure) {
        let place = ServiceCredential.location(of: path, environment: ProgramEnvironment.variables) ?? path
        do {
            self.pem = try BoundedFile.read(place, limit: Self.largestFile)
        } catch {
            throw CommandFailure(
                .configuration,
                error == .tooLarge
                    ? "\(BoundedFile.subject(path)) is too large for a list of certificates."
                    : "\(BoundedFile.subject(path)), which should hold certificates, can't be read: \(FileFault.words(place))."
            )
        }
        self.path = path
        guard let certificates = try? self.certificates(), !certificates.isEmpty else {
            throw CommandFailure(.configuration, "\(BoundedFile.subject(path)) holds no certificate in PEM form.")
        }
    }

    /// The certificates themselves.
    func certificates() throws -> [NIOSSLCertificate] {
        try NIOSSLCertificate.fromPEMBytes(Array(self.pem))
    }
}
