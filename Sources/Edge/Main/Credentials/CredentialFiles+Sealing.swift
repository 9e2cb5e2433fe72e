// SPDX-License-Identifier: Apache-2.0

import EdgeInbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension CredentialFiles {
    /// Reads the file that `inbox.key-file` names.
    ///
    /// - Throws: ``Failure``.
    static func sealingKeys(at path: String) throws -> SealingKeys {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(path: path, message: self.fault(path))
        }
        try self.checkPrivate(path)
        guard let keys = SealingKeys(String(decoding: data, as: UTF8.self)) else {
            throw Failure(path: path, message: "each line has to be a key of 32 bytes in base 64")
        }
        return keys
    }
}
