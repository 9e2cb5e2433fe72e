// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file's name in the settings as errors show it.
enum ShownPath {
    /// The path, and for a relative one what it leads to: it begins where the edge was started, and not at the folder of
    /// the file of settings, as many expect.
    ///
    /// - Parameters:
    ///   - path: The path as the settings have it.
    ///   - folder: Where the edge was started.
    static func text(_ path: String, from folder: String = FileManager.default.currentDirectoryPath) -> String {
        guard !path.hasPrefix("/") else { return path }
        let short = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return "\(path) (that is \(folder == "/" ? "" : folder)/\(short))"
    }
}
