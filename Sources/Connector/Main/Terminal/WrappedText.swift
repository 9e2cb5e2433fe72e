// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The lines of the text, broken at its spaces.
    ///
    /// A word that is longer than a line stays in one piece.
    ///
    /// - Parameters:
    ///   - width: How wide a line may be.
    ///   - limit: How many lines there may be; the last one takes the rest.
    func wrapped(to width: Int, limit: Int = .max) -> [String] {
        var lines: [String] = []
        for word in self.split(separator: " ") {
            if let last = lines.last, last.displayWidth + 1 + word.displayWidth <= width || lines.count == limit {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// The text behind a beginning, each further line of it below the first one.
    ///
    /// - Parameters:
    ///   - beginning: What stands in front of the first line.
    ///   - columns: The width of the window; `nil` for a program, which gets the text in one line.
    func hanging(from beginning: String, columns: Int?) -> String {
        let indent = beginning.displayWidth
        // One column stays free for terminals that wrap early; where little of a line is left, the terminal wraps it.
        guard let columns, columns - 1 - indent >= Self.narrowest else { return beginning + self }
        let lines = self.wrapped(to: columns - 1 - indent)
        return beginning + lines.joined(separator: "\n" + String(repeating: " ", count: indent))
    }

    private static var narrowest: Int { 20 }
}
