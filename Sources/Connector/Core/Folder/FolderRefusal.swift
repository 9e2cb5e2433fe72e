// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program

/// Why a folder that a person named can't be shared.
enum FolderRefusal {
    /// What is wrong and what to do, in whole sentences.
    static func words(_ path: String) -> String { self.words(FileFault.of(path), path) }

    static func words(_ fault: FileFault?, _ path: String) -> String {
        let path = PeerText.printable(path)
        switch fault {
        case .missing: return "There is no folder \(path)."
        case .hidden: return "The folder \(path) can't be shared: this user may not look into the one that it is in."
        case .folder: return "The folder \(path) can't be shared: this user may not read it."
        case .forbidden, nil:
            let folder = (path as NSString).deletingLastPathComponent
            return "\(path) is a file, and a folder is what can be shared. The one that it is in: culvert http "
                + "\(folder.isEmpty || folder == "." ? "./" : folder)"
        }
    }
}
