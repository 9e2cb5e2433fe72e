// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Which requests an inbox is for.
package struct InboxRules: Sendable {
    /// What an inbox has to do with a request.
    package enum Verdict: Equatable, Sendable {
        /// Nothing.
        case pass
        /// It is kept if nobody can take it, or always.
        case keep
        /// It is a handshake, which is answered with this value if nobody can take it.
        case echo(String)
    }

    /// What the rules are made of.
    package let settings: InboxSettings
    private let patterns: [PathPattern]
    private let methods: Set<String>
    private let queryEchoes: [String]
    private let jsonEchoes: [String]

    /// Makes the rules of settings.
    package init(_ settings: InboxSettings) {
        self.settings = settings
        self.patterns = settings.paths.map { PathPattern($0) }
        self.methods = Set(settings.methods)
        func names(_ kind: String) -> [String] {
            settings.echo.filter { $0.hasPrefix(kind) }.map { String($0.dropFirst(kind.count)) }
        }
        self.queryEchoes = names("query:")
        self.jsonEchoes = names("json:")
    }

    /// Decides on a request by its head.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The request target as the app sees it, undecoded.
    package func verdict(method: String, target: String) -> Verdict {
        let isKept = self.methods.contains(method)
        guard isKept || !self.queryEchoes.isEmpty else { return .pass }
        let path = Array(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        guard self.patterns.contains(where: { $0.matches(path) }) else { return .pass }
        if let value = self.echo(inQueryOf: target) { return .echo(value) }
        return isKept ? .keep : .pass
    }

    /// The value of a handshake in a query.
    private func echo(inQueryOf target: String) -> String? {
        guard !self.queryEchoes.isEmpty, let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        let query = target[target.utf8.index(after: mark)...]
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let name = Self.decoded(pair[0]), self.queryEchoes.contains(name),
                let value = Self.decoded(pair[1])
            else { continue }
            return value
        }
        return nil
    }

    /// The value of a handshake in a JSON body; `nil` for any other body.
    package func echo(inBody body: [UInt8]) -> String? {
        guard !self.jsonEchoes.isEmpty, body.count <= 64 << 10 else { return nil }
        return JSONTexts(body)?.first(of: self.jsonEchoes)
    }

    /// What percent-encoding stands for (RFC 3986 §2.1), `+` for a space; `nil` if it is not UTF-8, or has bytes that
    /// no answer should be made of.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst(), let low = rest.popFirst(),
                    let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(value)
            default: bytes.append(byte)
            }
        }
        guard bytes.count <= 1_024, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
