// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Looks on at an exchange without being able to change it; on the visitor's event loop.
///
/// Bodies are seen as they pass, with the framing that they have there, in slices of what was read.
package protocol ExchangeObserver: AnyObject {
    /// The head as it goes to the origin; once more for each time that the request is sent.
    func requestHead(_ head: ByteBuffer)
    /// Bytes of the request's body, or after a 101 of anything.
    func requestBytes(_ bytes: ByteBuffer)
    /// The request is complete.
    func requestEnded()
    /// A head as it goes to the visitor, interim or final.
    func responseHead(_ head: ByteBuffer, status: Int)
    /// Bytes of the response's body, or after a 101 of anything.
    func responseBytes(_ bytes: ByteBuffer)
    /// The exchange is over.
    ///
    /// - Parameter error: The code of the error that the edge made; `nil` if the response came in full.
    func exchangeEnded(error: String?)
}
