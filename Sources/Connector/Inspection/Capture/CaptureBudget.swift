// SPDX-License-Identifier: Apache-2.0

/// How much is kept of what passes.
package struct CaptureBudget: Equatable, Sendable {
    /// The memory of all exchanges, in bytes.
    package var bytes: Int
    /// The most exchanges.
    package var exchanges: Int
    /// The first bytes that are kept of a body.
    package var body: Int

    /// The defaults are those of the settings `inspect.memory` and `inspect.body`.
    package init(bytes: Int = 50 << 20, exchanges: Int = 10_000, body: Int = 1 << 20) {
        self.bytes = bytes
        self.exchanges = exchanges
        self.body = body
    }

    /// What an exchange counts beside its bytes.
    static let exchangeBytes = 1_024
    /// What an interim response or the place of a body counts beside its bytes.
    static let pieceBytes = 64
    /// The most interim responses of an exchange.
    static let interimResponses = 8
    /// The most moments that are noted of the arrival of an event stream.
    static let arrivals = 1_000
    /// The most messages of a WebSocket.
    static let frames = 2_000
    /// The most bytes of the messages of a WebSocket.
    static let frameBytes = 1 << 20
    /// The first bytes that are kept of a message.
    package static let frameContent = 4_096
}
