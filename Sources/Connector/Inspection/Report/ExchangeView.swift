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

    /// Reads the heads of an exchange.
    package init(_ exchange: ExchangeSnapshot) {
        self.exchange = exchange
        self.request = HeadText(exchange.state.request.head)
        self.response = exchange.state.response.map { HeadText($0.head) }
    }

    /// The method; empty for a connection that is not HTTP.
    package var method: String { self.request.parts.first.map(String.init) ?? "" }

    /// The request target, with its query.
    package var target: String {
        let parts = self.request.line.split(separator: " ", omittingEmptySubsequences: false)
        return parts.count > 2 ? parts[1..<(parts.count - 1)].joined(separator: " ") : ""
    }

    /// The target before the query.
    package var path: String { String(self.target.prefix { $0 != "?" }) }

    /// The query without its question mark.
    package var query: String? {
        self.target.firstIndex(of: "?").map { String(self.target[self.target.index(after: $0)...]) }
    }

    /// The version of HTTP in the request.
    package var version: String { self.request.line.split(separator: " ").last.map(String.init) ?? "" }

    /// The status of the final response.
    package var status: Int? {
        guard let parts = self.response?.parts, parts.count > 1 else { return nil }
        return Int(parts[1])
    }

    /// The reason phrase.
    package var reason: String {
        guard let parts = self.response?.parts, parts.count > 2 else { return "" }
        return String(parts[2])
    }

    /// The visitor's address, as the edge says it.
    package var visitor: String? {
        guard let list = self.request.first("x-forwarded-for") else { return nil }
        // The edge puts the address that it saw itself last.
        return list.split(separator: ",").last?.trimmingSpaces()
    }

    /// Whether all bodies are kept whole.
    package var isWhole: Bool { self.exchange.state.isWhole }

    /// Why the exchange failed, in a sentence.
    package var failure: String? {
        if case .failed(let reason) = self.exchange.state.ending { return reason }
        return self.exchange.state.fault
    }

    /// The time from the request's head to the end.
    package var duration: TimeAmount? { self.exchange.state.end.map(self.exchange.span(to:)) }

    /// The time from the request's head to that of the response.
    package var responseTime: TimeAmount? { self.exchange.state.responseHead.map(self.exchange.span(to:)) }
}
