// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

extension SessionCore {
    /// Polls as a handler does, which looks first whether there is anything to be sent; that look has to be right.
    mutating func pollIfDue(into message: inout ByteBuffer, limit: Int, now: NIODeadline) -> Bool {
        let isQuiet = self.isQuiet(now: now)
        let isSent = self.poll(into: &message, limit: limit, now: now)
        if isQuiet, isSent {
            var decoder = FrameDecoder(message: message)
            let frame = try? decoder.next()
            Issue.record("the look found nothing to be sent, and this was: \(frame.map { "\($0)" } ?? "nothing")")
        }
        return isSent
    }
}
