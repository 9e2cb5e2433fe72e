// SPDX-License-Identifier: Apache-2.0

/// Text in the language of man pages.
struct Roff {
    /// What was written so far.
    private(set) var source = ""

    /// Writes a request, such as `.SH "NAME"`.
    mutating func request(_ name: String, _ arguments: [String] = []) {
        self.source += ".\(name)"
        for argument in arguments { self.source += " " + Self.quoted(Self.escaped(argument)) }
        self.source += "\n"
    }

    /// Writes a line of text.
    mutating func line(_ text: String) {
        self.source += Self.shielded(Self.escaped(text)) + "\n"
    }

    /// Writes a line in bold.
    mutating func bold(_ text: String) {
        self.source += "\\fB\(Self.escaped(text))\\fR\n"
    }

    /// Writes paragraphs; lines that are indented stay as they are, for they are commands and files.
    mutating func prose(_ text: String) {
        var isLiteral = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let isIndented = line.hasPrefix("  ")
            if isIndented != isLiteral {
                // An example that follows its heading in the same paragraph begins a line of its own.
                for request in isIndented ? ["RS", "nf"] : ["fi", "RE"] { self.request(request) }
                isLiteral = isIndented
            }
            if line.isEmpty {
                self.request("PP")
            } else {
                self.line(String(isIndented ? line.dropFirst(2) : line))
            }
        }
        if isLiteral { for request in ["fi", "RE"] { self.request(request) } }
    }

    /// Keeps an argument in one piece; the requests of troff itself want no quotes around a plain one.
    private static func quoted(_ argument: String) -> String {
        guard argument.isEmpty || argument.contains(where: { $0 == " " || $0 == "\"" }) else { return argument }
        return "\"\(argument.replacing("\"", with: "\\(dq"))\""
    }

    /// Keeps text from being a request, which begins with a dot or an apostrophe.
    private static func shielded(_ text: String) -> String {
        text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
    }

    /// Writes characters that mean something, and those beyond ASCII, by their names.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\e"
            case "-": escaped += "\\-"
            case "\u{0}"..."\u{7F}": escaped.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                escaped += "\\[u\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)]"
            }
        }
        return escaped
    }
}
