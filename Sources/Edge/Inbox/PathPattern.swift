// SPDX-License-Identifier: Apache-2.0

/// A path with asterisks: `*` stands for anything within a segment, `**` for anything.
struct PathPattern: Equatable, Sendable {
    private enum Token: Equatable {
        case byte(UInt8)
        case segment
        case anything
    }

    /// The longest path that matches anything, in bytes.
    static let longest = 1_024

    private let tokens: [Token]

    /// Reads a pattern.
    init(_ text: String) {
        var tokens: [Token] = []
        for byte in text.utf8 {
            if byte != UInt8(ascii: "*") {
                tokens.append(.byte(byte))
            } else if tokens.last == .segment || tokens.last == .anything {
                tokens[tokens.count - 1] = .anything
            } else {
                tokens.append(.segment)
            }
        }
        self.tokens = tokens
    }

    /// Whether a path is one of those; what follows a `**` that matched once need not be tried for the one before it.
    func matches(_ path: [UInt8]) -> Bool {
        guard path.count <= Self.longest else { return false }
        var (at, token) = (0, 0)
        var segment: (token: Int, at: Int)?
        var anything: (token: Int, at: Int)?
        while true {
            if token < self.tokens.count {
                switch self.tokens[token] {
                case .anything:
                    anything = (token, at)
                    segment = nil
                    token += 1
                    continue
                case .segment:
                    segment = (token, at)
                    token += 1
                    continue
                case .byte(let byte) where at < path.count && path[at] == byte:
                    (at, token) = (at + 1, token + 1)
                    continue
                case .byte: break
                }
            } else if at == path.count {
                return true
            }
            if let last = segment, last.at < path.count, path[last.at] != UInt8(ascii: "/") {
                segment = (last.token, last.at + 1)
                (at, token) = (last.at + 1, last.token + 1)
            } else if let last = anything, last.at < path.count {
                anything = (last.token, last.at + 1)
                segment = nil
                (at, token) = (last.at + 1, last.token + 1)
            } else {
                return false
            }
        }
    }
}
