// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore

/// Plays one end's steps of a case, as far as what has come and the time allow.
final class ScriptPlayer {
    private let end: any ScriptedEnd
    private let steps: [ConformanceTable.Step]
    private let fill: (ConformanceTable.Template) -> Data
    private let isAtOrigin: (Data) -> Bool
    private var next = 0
    private var taken = 0
    /// When the present step began.
    private var since: NIODeadline
    private(set) var failure: String?

    /// How long whatever must come is waited for.
    private static let patience = TimeAmount.seconds(5)

    init(
        _ steps: [ConformanceTable.Step],
        _ end: any ScriptedEnd,
        now: NIODeadline,
        fill: @escaping (ConformanceTable.Template) -> Data,
        isAtOrigin: @escaping (Data) -> Bool = { _ in false }
    ) {
        self.steps = steps
        self.end = end
        self.since = now
        self.fill = fill
        self.isAtOrigin = isAtOrigin
    }

    var isOver: Bool { self.next == self.steps.count || self.failure != nil }

    /// Takes steps; whether there were any that could be taken.
    func play(now: NIODeadline) -> Bool {
        let before = self.next
        while !self.isOver, self.take(self.steps[self.next], waited: now - self.since) {
            self.next += 1
            self.since = now
        }
        return self.next != before
    }

    /// Whether the step is taken.
    private func take(_ step: ConformanceTable.Step, waited: TimeAmount) -> Bool {
        switch step {
        case .send(let bytes):
            self.end.send(self.fill(bytes))
            return true
        case .until(let template):
            let text = self.fill(template)
            if let place = self.end.received.range(of: text, in: self.taken..<self.end.received.count) {
                self.taken = place.upperBound
                return true
            }
            return self.wait("\(String(decoding: text, as: UTF8.self))", waited)
        case .take(let count):
            if self.end.received.count >= self.taken + count {
                self.taken += count
                return true
            }
            return self.wait("\(count) bytes", waited)
        case .ended(let within, let how):
            if let ended = self.end.ended {
                if let how, how != ended { self.failure = "the connection ended with \(ended), not \(how)" }
                return self.failure == nil
            }
            if waited > Self.time(within) { self.failure = "the connection did not end within \(within) s" }
            return false
        case .atOrigin(let template):
            let text = self.fill(template)
            return self.isAtOrigin(text) || self.wait("\(String(decoding: text, as: UTF8.self)) at the origin", waited)
        case .pause(let seconds): return waited >= Self.time(seconds)
        case .stillOpen(let seconds):
            if let ended = self.end.ended { self.failure = "the connection ended (\(ended))" }
            return self.failure == nil && waited >= Self.time(seconds)
        case .shut: self.end.shut()
        case .close: self.end.close()
        case .reset: self.end.reset()
        }
        return true
    }

    private func wait(_ what: String, _ waited: TimeAmount) -> Bool {
        if let ended = self.end.ended { self.failure = "\(ended) before \(what)" }
        if waited > Self.patience { self.failure = "waited in vain for \(what)" }
        if self.failure != nil {
            self.failure? += ", got \(String(decoding: self.end.received.suffix(200), as: UTF8.self))"
        }
        return false
    }

    private static func time(_ seconds: Double) -> TimeAmount { .milliseconds(Int64(seconds * 1_000)) }
}
