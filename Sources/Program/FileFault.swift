// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a file that a person named can't be read.
package enum FileFault: Equatable, Sendable {
    case missing
    case folder
    case hidden
    case forbidden

    /// Looks at a file.
    ///
    /// - Returns: What is wrong; `nil` if nothing seems to be.
    package static func of(_ path: String) -> FileFault? {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == EACCES ? .hidden : .missing }
        if status.st_mode & S_IFMT == S_IFDIR { return .folder }
        return access(path, R_OK) == 0 ? nil : .forbidden
    }

    /// What is wrong, as the end of a sentence.
    ///
    /// - Parameter path: The file; `-` is standard input, which is no file that could be missing.
    package static func words(_ path: String) -> String {
        switch path == "-" ? nil : self.of(path) {
        case .missing: "there is no such file"
        case .folder: "this is a folder, and not a file"
        case .hidden: "this user may not look into its folder"
        case .forbidden: "this user may not read it"
        case nil: "it can't be read"
        }
    }
}
