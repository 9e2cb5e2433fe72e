// SPDX-License-Identifier: Apache-2.0

import NIOCore

@testable import Inspection

/// Makes captured exchanges for tests.
enum Captured {
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// An exchange that has passed; the date is fixed.
    static func view(
        _ request: String,
        body: [UInt8] = [],
        size: UInt64? = nil,
        trailers: String = "",
        response: String? = nil,
        responseBody: [UInt8] = [],
        kind: ExchangeState.Kind = .http,
        ending: ExchangeState.Ending = .complete,
        milliseconds: Int64 = 12,
        tunnel: String = "my-app",
        replayOf: CaptureID? = nil
    ) -> ExchangeView {
        var state = ExchangeState(
            request: MessageCapture(
                head: Array(request.utf8),
                body: BodyCapture(whole: body, size: size),
                trailers: Array(trailers.utf8)
            ),
            began: Self.start
        )
        state.kind = kind
        if let response {
            state.response = MessageCapture(head: Array(response.utf8), body: BodyCapture(whole: responseBody))
            state.responseHead = Self.start + .milliseconds(milliseconds / 2)
        }
        state.ending = ending
        if ending != .open { state.end = Self.start + .milliseconds(milliseconds) }
        return ExchangeView(
            ExchangeSnapshot(
                id: CaptureID(0x019A_D0C3_F2A1_B004),
                tunnel: tunnel,
                connection: 1,
                clock: CaptureClock(date: 1_764_318_000_000, deadline: Self.start),
                replayOf: replayOf,
                isImported: false,
                state: state
            )
        )
    }
}
