// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// Chooses exchanges by words, all of which have to match; every text is a filter.
///
/// The page of the inspector has the same rules for what its lines hold; both are held to one table of cases.
package struct ExchangeFilter: Equatable, Sendable {
    /// One condition.
    struct Word: Equatable, Sendable {
        var isNegated: Bool
        var test: Test
    }

    /// What a word asks.
    enum Test: Equatable, Sendable {
        case method(String)
        case status(Statuses)
        case path(Glob)
        case tunnel(String)
        case type(String)
        case header(name: String, value: String?)
        case body(String)
        case size(Comparison)
        /// In microseconds.
        case time(Comparison)
        case isReplay
        case isError
        case isOpen
        case isWebSocket
        case isEvents
        case isCut
        case from(String)
        /// In path and query.
        case text(String)
    }

    /// Some statuses.
    enum Statuses: Equatable, Sendable {
        case range(ClosedRange<Int>)
        /// Three digits, or x for any digit.
        case digits(String)

        func contains(_ status: Int) -> Bool {
            switch self {
            case .range(let range): return range.contains(status)
            case .digits(let pattern):
                let text = String(status)
                return text.utf8.count == pattern.utf8.count
                    && zip(text.utf8, pattern.utf8).allSatisfy { $0 == $1 || $1 == UInt8(ascii: "x") }
            }
        }
    }

    /// A comparison with a number.
    enum Comparison: Equatable, Sendable {
        case above(Double)
        case below(Double)

        func matches(_ number: Double) -> Bool {
            switch self {
            case .above(let bound): number > bound
            case .below(let bound): number < bound
            }
        }
    }

    let words: [Word]

    /// Reads a filter.
    package init(_ text: String) {
        self.words = Self.split(text).map { word in
            let isNegated = word.utf8.count > 1 && word.hasPrefix("-")
            return Word(isNegated: isNegated, test: Self.test(isNegated ? String(word.dropFirst()) : word))
        }
    }

    /// Whether it chooses everything.
    package var isEmpty: Bool { self.words.isEmpty }

    /// Whether an exchange is chosen.
    ///
    /// - Parameters:
    ///   - view: The exchange.
    ///   - now: The time, for exchanges that are open.
    package func matches(_ view: ExchangeView, now: NIODeadline) -> Bool {
        self.words.allSatisfy { $0.test.matches(view, now: now) != $0.isNegated }
    }

    // MARK: Reading

    /// The words; what stands between quotes belongs to one word, and the quotes go.
    private static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var hasWord = false
        for character in text {
            if character == "\"" {
                isQuoted.toggle()
                hasWord = true
            } else if character.isWhitespace, !isQuoted {
                if hasWord { words.append(word) }
                (word, hasWord) = ("", false)
            } else {
                word.append(character)
                hasWord = true
            }
        }
        if hasWord { words.append(word) }
        return words.filter { !$0.isEmpty }
    }

    private static func test(_ word: String) -> Test {
        guard let colon = word.firstIndex(of: ":"), colon > word.startIndex else { return .text(word.lowercased()) }
        let value = String(word[word.index(after: colon)...])
        let known: Test? =
            switch word[..<colon] {
            case "method": .method(value.uppercased())
            case "status": Self.statuses(value).map(Test.status)
            case "path": .path(Glob(value))
            case "tunnel": .tunnel(value)
            case "type": .type(value.lowercased())
            case "header": Self.header(value)
            case "body": .body(value)
            case "size": Self.comparison(value, units: Self.sizes).map(Test.size)
            case "time": Self.comparison(value, units: Self.times).map(Test.time)
            case "is": Self.properties[value]
            case "from": .from(value)
            default: nil
            }
        return known ?? .text(word.lowercased())
    }

    private static let properties: [String: Test] = [
        "replay": .isReplay, "error": .isError, "open": .isOpen, "websocket": .isWebSocket, "sse": .isEvents,
        "cut": .isCut,
    ]
    private static let sizes: [(String, Double)] = [
        ("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1),
        ("", 1),
    ]
    private static let times: [(String, Double)] = [("ms", 1e3), ("us", 1), ("s", 1e6), ("", 1e3)]

    private static func statuses(_ text: String) -> Statuses? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        if ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy(Self.isDigit) }), let first = Int(ends[0]),
            let last = Int(ends[1]), first <= last
        {
            return .range(first...last)
        }
        let pattern = text.lowercased()
        let isPattern = pattern.utf8.count == 3 && pattern.utf8.allSatisfy { Self.isDigit($0) || $0 == 0x78 }
        return isPattern ? .digits(pattern) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func header(_ text: String) -> Test {
        guard let equals = text.firstIndex(of: "=") else { return .header(name: text.lowercased(), value: nil) }
        return .header(name: text[..<equals].lowercased(), value: text[text.index(after: equals)...].lowercased())
    }

    private static func comparison(_ text: String, units: [(String, Double)]) -> Comparison? {
        guard let sign = text.first, sign == ">" || sign == "<" else { return nil }
        let rest = text.dropFirst()
        for (unit, factor) in units where rest.hasSuffix(unit) {
            let digits = rest.dropLast(unit.count)
            // Swift reads more than digits and a point as a number: 1e3, 0x10, nan.
            guard let first = digits.utf8.first, let last = digits.utf8.last, Self.isDigit(first), Self.isDigit(last),
                digits.utf8.allSatisfy({ Self.isDigit($0) || $0 == UInt8(ascii: ".") }), let number = Double(digits)
            else { continue }
            return sign == ">" ? .above(number * factor) : .below(number * factor)
        }
        return nil
    }
}

/// A pattern in which `*` stands for anything; without one, it is the beginning.
struct Glob: Equatable, Sendable {
    private let pieces: [String]

    init(_ pattern: String) {
        self.pieces = (pattern.contains("*") ? pattern : pattern + "*").lowercased()
            .split(separator: "*", omittingEmptySubsequences: false).map(String.init)
    }

    func matches(_ text: String) -> Bool {
        var rest = Substring(text.lowercased())
        guard let first = self.pieces.first, let last = self.pieces.last, rest.hasPrefix(first) else { return false }
        rest = rest.dropFirst(first.count)
        for piece in self.pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let range = rest.firstRange(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
