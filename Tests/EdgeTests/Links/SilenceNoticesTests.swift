// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Testing

@testable import EdgeLinks

@Suite("Notices of silence over a link")
struct SilenceNoticesTests {
    private let id: TunnelID
    private let other: TunnelID

    init() throws {
        self.id = try #require(TunnelID("my-app"))
        self.other = try #require(TunnelID("another"))
    }

    @Test("Who has had a stream passed on is told of each change once, and who has not is told nothing")
    func changes() {
        var notices = SilenceNotices()
        #expect(!notices.isNews(true, of: self.id))
        let hasToTell = notices.passedOn(self.id, isSuspect: false)
        #expect(!hasToTell)
        #expect(notices.isNews(true, of: self.id))
        notices.sent(true, of: self.id, hadPlace: true)
        #expect(!notices.isNews(true, of: self.id))
        #expect(notices.isNews(false, of: self.id))
        #expect(!notices.isNews(true, of: self.other))
    }

    @Test("Tunnels that are gone are forgotten, also on a link that is never at rest")
    func gone() {
        var notices = SilenceNotices()
        _ = notices.passedOn(self.id, isSuspect: true)
        notices.sent(true, of: self.id, hadPlace: true)
        _ = notices.passedOn(self.other, isSuspect: true)
        notices.sent(true, of: self.other, hadPlace: false)
        notices.forget { $0 == self.other }
        #expect(notices.owed == [])
        #expect(notices.isNews(false, of: self.id))
        notices.forget { $0 == self.id }
        #expect(!notices.isNews(false, of: self.id))
    }

    @Test("The first stream of a tunnel whose sessions are silent already brings the notice")
    func lateStream() {
        var notices = SilenceNotices()
        let first = notices.passedOn(self.id, isSuspect: true)
        let second = notices.passedOn(self.id, isSuspect: true)
        #expect(first)
        #expect(!second)
        #expect(notices.isNews(true, of: self.id))
    }

    @Test("A notice that found no place is owed until one is sent, or what it says is known")
    func owed() {
        var notices = SilenceNotices()
        _ = notices.passedOn(self.id, isSuspect: true)
        notices.sent(true, of: self.id, hadPlace: false)
        #expect(notices.owed == [self.id])
        #expect(notices.isNews(true, of: self.id), "The other edge does not know yet.")
        notices.sent(true, of: self.id, hadPlace: true)
        #expect(notices.owed.isEmpty)
        // It spoke again, could not be told, and fell silent once more: what the other edge believes is right.
        notices.sent(false, of: self.id, hadPlace: false)
        #expect(!notices.isNews(true, of: self.id))
        notices.settle(self.id)
        #expect(notices.owed.isEmpty)
    }

    @Test("Without streams only silences that the other edge believes in, or is to be told of, are remembered")
    func rest() {
        var notices = SilenceNotices()
        _ = notices.passedOn(self.id, isSuspect: false)
        _ = notices.passedOn(self.other, isSuspect: true)
        notices.sent(true, of: self.other, hadPlace: true)
        notices.rest()
        #expect(!notices.isNews(true, of: self.id))
        #expect(notices.isNews(false, of: self.other))
        _ = notices.passedOn(self.id, isSuspect: true)
        notices.sent(true, of: self.id, hadPlace: false)
        notices.rest()
        #expect(notices.isNews(true, of: self.id))
    }
}
