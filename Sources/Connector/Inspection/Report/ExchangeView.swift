// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// An exchange with its heads read: what lists, filters and archives look at.
package struct ExchangeView: Sendable {
    /// The exchange as it was.
    package let exchange: ExchangeSnapshot
    /// The request's head.
    package let request: HeadText
    /// The final response's head.
    package let response: HeadText?
    /// The method; empty for a connection that is not HTTP.
    package let method: String
    /// The request target, with its query.
    package let target: String
    /// The status of the final response.
    package let status: Int?

    /// Reads the heads of an exchange.
    package init(_ exchange: ExchangeSnapshot) {
        self.exchange = exchange
        self.request = HeadText(exchange.state.request.head)
        self.response = exchange.state.response.map { HeadText($0.head) }
        let line = self.request.line
        let spaces = (line.utf8.firstIndex(of: 0x20), line.utf8.lastIndex(of: 0x20))
        self.method = String(line[..<(spaces.0 ?? line.endIndex)])
        self.target =
            if let first = spaces.0, let last = spaces.1, first < last {
                String(line[line.index(after: first)..<last])
            } else {
                ""
            }
        let parts = self.response?.parts ?? []
        self.status = parts.count > 1 ? Int(parts[1]) : nil
    }

    /// The target before the query.
    package var path: String {
        self.target.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(self.target[..<$0]) } ?? self.target
    }

    /// The query without its question mark.
    package var query: String? {
        self.target.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(self.target[self.target.index(after: $0)...]) }
    }

    /// The version of HTTP in the request.
    package var version: String { self.request.line.split(separator: " ").last.map(String.init) ?? "" }

    /// The reason phrase.
    package var reason: String {
        guard let parts = self.response?.parts, parts.count > 2 else { return "" }
        return String(parts[2])
    }

    /// The visitor's address, as the edge says it.
    package var visitor: String? {
        guard let list = self.request.first("x-forwarded-for") else { return nil }
        // The edge puts the address that it saw itself last.
        return list.utf8.lastIndex(of: UInt8(ascii: ",")).map {
            String(list[list.index(after: $0)...]).trimmingSpaces()
        }
            ?? list
    }

    /// Whether all bodies are kept whole.
    package var isWhole: Bool { self.exchange.state.isWhole }

    /// Why the exchange failed, in a sentence: what can't be read comes first, as the connection ends because of it.
    package var failure: String? {
        if let fault = self.exchange.state.fault { return fault }
        if case .failed(let reason) = self.exchange.state.ending { return reason }
        return nil
    }

    /// The time from the request's head to the end.
    package var duration: TimeAmount? { self.exchange.state.end.map(self.exchange.span(to:)) }

    /// The time from the request's head to that of the response.
    package var responseTime: TimeAmount? { self.exchange.state.responseHead.map(self.exchange.span(to:)) }
}
