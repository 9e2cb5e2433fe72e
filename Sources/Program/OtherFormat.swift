// SPDX-License-Identifier: Apache-2.0

/// Tells a text that was meant to be YAML and is TOML or INI, in which frp's and other programs' files are written.
package enum OtherFormat {
    /// The first line, counted from 1, that is a table or an assignment of such a text; `nil` if there is none.
    package static func line(in text: String) -> Int? {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let isTable = line.hasPrefix("[") && !line.contains(",") && !line.contains(":")
            let isAssignment =
                line.prefix { $0.isLetter || "._-".contains($0) }.count > 0
                && line.drop { $0.isLetter || $0.isNumber || "._-".contains($0) }.drop { $0 == " " }.hasPrefix("=")
            if isTable || isAssignment { return index + 1 }
        }
        return nil
    }
}
