// SPDX-License-Identifier: Apache-2.0

extension Unicode.Scalar {
    /// Whether the scalar steers a terminal, ends a line or turns the direction of text instead of showing something
    /// (Unicode general categories Cc, Cf, Zl, Zp).
    package var isSteering: Bool {
        if self.value < 0x7f { return self.value < 0x20 }
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }

    /// Whether the scalar looks like a space and is none.
    fileprivate var isForeignSpace: Bool { self.value > 0x7f && self.properties.generalCategory == .spaceSeparator }

    /// The scalar as JSON writes it where it may not stand itself (RFC 8259 §7).
    fileprivate var jsonEscape: String {
        UTF16.encode(self)?.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined() ?? ""
    }
}

/// What others sent, on its way into a log or onto a terminal.
package enum ShownText {
    /// The text with what steers a terminal written as JSON escapes.
    package static func escaped(_ text: String) -> String {
        self.escaped(text) { $0.isSteering }
    }

    /// The text without what steers a terminal.
    package static func stripped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.isSteering) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.filter { !$0.isSteering }))
    }

    /// The value of a `key=value` pair in a log line of text, which can't be taken for more than one pair.
    ///
    /// A value with a space or a quotation mark is put into quotation marks, and loses its equals signs to an escape:
    /// who looks for ` status=200` finds what the program wrote, not what a visitor sent.
    package static func pairValue(_ value: String) -> String {
        let needsQuotes = value.isEmpty || value.unicodeScalars.contains { $0 == " " || $0 == "\"" }
        guard needsQuotes else { return self.escaped(value) { $0.isSteering || $0.isForeignSpace } }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "=": text += scalar.jsonEscape
            default:
                if scalar.isSteering || scalar.isForeignSpace {
                    text += scalar.jsonEscape
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }

    private static func escaped(_ text: String, _ isEscaped: (Unicode.Scalar) -> Bool) -> String {
        guard text.unicodeScalars.contains(where: isEscaped) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            if isEscaped(scalar) { escaped += scalar.jsonEscape } else { escaped.unicodeScalars.append(scalar) }
        }
        return escaped
    }
}
