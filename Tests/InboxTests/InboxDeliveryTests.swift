// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import EdgeInbox

@Suite("What becomes of a message")
struct InboxDeliveryTests {
    private let now = Date(timeIntervalSince1970: 1_000)
    private let delivery = InboxDelivery(InboxSettings())

    private func step(_ outcome: DeliveryOutcome, attempts: Int = 0, spread: Double = 0) -> DeliveryStep {
        self.delivery.step(after: outcome, attempts: attempts, now: self.now, spread: spread)
    }

    @Test("Every 2xx delivers, 410 is the end, and each other status is an attempt")
    func statuses() {
        for status in 200...599 {
            let step = self.step(.answered(status: status))
            switch status {
            case 200...299: #expect(step.state == .delivered && step.attempts == 0)
            case 410: #expect(step.state == .dead && step.attempts == 1)
            default:
                #expect(step.state == .waiting && step.attempts == 1)
                #expect(step.due == self.now.addingTimeInterval(5))
            }
            #expect(step.status == status)
        }
    }

    @Test("Whoever sees nothing makes no attempt, however often")
    func unreachable() {
        for attempts in 0...60 {
            let step = self.step(.unreachable(code: "tunnel_offline"), attempts: attempts)
            #expect(step.state == .waiting && step.attempts == attempts && step.due == self.now)
        }
    }

    @Test("The pauses grow, spread by a fifth, and the last attempt is the end")
    func backOff() {
        var settings = InboxSettings()
        settings.delivery.attempts = 10
        let delivery = InboxDelivery(settings)
        for attempts in 0..<12 {
            let step = delivery.step(
                after: .failed(code: "origin_timeout"),
                attempts: attempts,
                now: self.now,
                spread: 1
            )
            guard attempts + 1 < 10 else {
                #expect(step.state == .dead && step.error == "origin_timeout")
                continue
            }
            let base = InboxDelivery.backOff[min(attempts, InboxDelivery.backOff.count - 1)]
            #expect(step.state == .waiting)
            #expect(abs(step.due.timeIntervalSince(self.now) - base * 1.2) < 0.001)
        }
        let early = self.step(.answered(status: 500), spread: -7)
        #expect(abs(early.due.timeIntervalSince(self.now) - 4) < 0.001)
    }

    @Test("Retry-After is heeded, up to an hour", arguments: [(0, 0.0), (120, 120), (99_999, 3_600), (-5, 0)])
    func retryAfter(_ seconds: Int, _ pause: Double) {
        let step = self.step(.answered(status: 429, retryAfter: seconds))
        #expect(step.state == .waiting && step.due == self.now.addingTimeInterval(pause))
    }

    @Test("A message waits as long as the settings say")
    func expiry() {
        let came = self.now
        #expect(!self.delivery.isExpired(receivedAt: came, now: came.addingTimeInterval(168 * 3_600)))
        #expect(self.delivery.isExpired(receivedAt: came, now: came.addingTimeInterval(168 * 3_600 + 1)))
    }
}
