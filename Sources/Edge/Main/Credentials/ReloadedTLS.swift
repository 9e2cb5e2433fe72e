// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What is made of a certificate's files as they are at the moment: connections that come later get their new state.
final class ReloadedTLS<Contexts: Sendable>: Sendable {
    /// What says that a file is another one than before.
    private struct Stamp: Equatable {
        var modified: Date?
        var size: Int?
    }

    private struct State {
        var contexts: Contexts
        var stamps: [Stamp]
    }

    private let paths: [String]
    private let make: @Sendable () throws -> Contexts
    private let state: Mutex<State>

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - paths: The files.
    ///   - make: Makes of them what connections are encrypted with.
    /// - Throws: What `make` throws.
    init(of paths: [String], make: @escaping @Sendable () throws -> Contexts) throws {
        let stamps = Self.stamps(paths)
        let contexts = try make()
        self.paths = paths
        self.make = make
        self.state = Mutex(State(contexts: contexts, stamps: stamps))
    }

    /// What the next connection is encrypted with.
    var current: Contexts { self.state.withLock { $0.contexts } }

    /// Reads the files again if they have changed.
    ///
    /// They may be caught in the middle of their replacement and not belong together: the old ones stay in use then, and the
    /// next call tries again.
    ///
    /// - Returns: Whether there was a change.
    /// - Throws: What is wrong with a file that can't be used.
    func reloadIfChanged() throws -> Bool {
        let stamps = Self.stamps(self.paths)
        guard self.state.withLock({ $0.stamps != stamps }) else { return false }
        let contexts = try self.make()
        self.state.withLock { $0 = State(contexts: contexts, stamps: stamps) }
        return true
    }

    private static func stamps(_ paths: [String]) -> [Stamp] {
        paths.map { path in
            // Kubernetes replaces the folder behind a symbolic link, and not the link.
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            return Stamp(modified: attributes?[.modificationDate] as? Date, size: attributes?[.size] as? Int)
        }
    }
}
