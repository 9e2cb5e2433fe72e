// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The certificate of the public listener as it is at the moment: connections that come later get the files' new state.
final class ListenerCertificate: Sendable {
    /// What says that a file is another one than before.
    private struct Stamp: Equatable {
        var modified: Date?
        var size: Int?
    }

    private struct State {
        var context: NIOSSLContext
        var stamps: [Stamp]
    }

    private let configuration: EdgeConfiguration
    private let state: Mutex<State>

    /// Reads the files; `nil` without `tls.certificate`.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    init?(_ configuration: EdgeConfiguration) throws {
        let stamps = Self.stamps(configuration)
        guard let context = try ListenerTLS.context(configuration) else { return nil }
        self.configuration = configuration
        self.state = Mutex(State(context: context, stamps: stamps))
    }

    /// What the next connection is encrypted with.
    var context: NIOSSLContext { self.state.withLock { $0.context } }

    /// Reads the files again if they have changed.
    ///
    /// The two files may be caught in the middle of their replacement and not belong together: the old ones stay in use
    /// then, and the next call tries again.
    ///
    /// - Returns: Whether there was a change.
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    func reloadIfChanged() throws -> Bool {
        let stamps = Self.stamps(self.configuration)
        guard self.state.withLock({ $0.stamps != stamps }) else { return false }
        guard let context = try ListenerTLS.context(self.configuration) else { return false }
        self.state.withLock { $0 = State(context: context, stamps: stamps) }
        return true
    }

    private static func stamps(_ configuration: EdgeConfiguration) -> [Stamp] {
        [configuration.certificateFile, configuration.privateKeyFile].map { path in
            // Kubernetes replaces the folder behind a symbolic link, and not the link.
            let file = URL(fileURLWithPath: path ?? "").resolvingSymlinksInPath().path
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            return Stamp(
                modified: attributes?[.modificationDate] as? Date,
                size: attributes?[.size] as? Int
            )
        }
    }
}
