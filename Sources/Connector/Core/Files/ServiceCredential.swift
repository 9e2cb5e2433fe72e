// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A file that systemd passes to the service with `LoadCredential=`, because the service itself may not read it.
///
/// The credential is named for the path, so that one configuration works in the service and from a shell.
package enum ServiceCredential {
    /// The name of a file's credential: its path with `-` for each slash, as in `etc-culvert-token`.
    ///
    /// A dash becomes `_.` and an underscore `__`, so that no two paths have one name.
    ///
    /// - Parameter path: An absolute path; others have no credential.
    package static func name(of path: String) -> String? {
        guard path.hasPrefix("/"), path.utf8.count <= 200, !path.contains(":") else { return nil }
        let escaped = path.replacing("_", with: "__").replacing("-", with: "_.")
        let name = escaped.split(separator: "/").joined(separator: "-")
        return name.isEmpty ? nil : name
    }

    /// The path of the file's credential; `nil` if there is none.
    package static func location(of path: String, environment: [String: String]) -> String? {
        guard let folder = environment["CREDENTIALS_DIRECTORY"], let name = self.name(of: path) else { return nil }
        let location = "\(folder)/\(name)"
        return FileManager.default.fileExists(atPath: location) ? location : nil
    }
}
