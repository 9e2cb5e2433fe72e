// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A table of what there is, held against the cases that show it.
enum Walk {
    /// What is wrong: entries without a case, cases without an entry, and cases that are there twice.
    static func faults(of entries: [String], shownBy cases: [String]) -> [String] {
        let (known, shown) = (Set(entries), Set(cases))
        return known.subtracting(shown).sorted().map { "\($0) has no case" }
            + shown.subtracting(known).sorted().map { "\($0) does not exist" }
            + Dictionary(grouping: cases) { $0 }.filter { $0.value.count > 1 }.keys.sorted().map {
                "\($0) is there twice"
            }
    }

    /// A file of the repository.
    static func text(of path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}
