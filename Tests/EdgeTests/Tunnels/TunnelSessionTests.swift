// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("A tunnel's use of an upstream")
struct TunnelSessionTests {
    private let loop = EmbeddedEventLoop()
    private let upstream: FakeUpstream

    init() {
        self.upstream = FakeUpstream(7, connectionID: 3, on: self.loop)
    }

    private func session(makeRoomElsewhere: (() -> Void)? = nil) -> TunnelSession {
        TunnelSession(
            over: self.upstream,
            remoteAddress: "192.0.2.1",
            implementation: "fake/1",
            connectedAt: Date(timeIntervalSince1970: 1),
            tokenIssuedAt: 0,
            makeRoomElsewhere: makeRoomElsewhere
        )
    }

    @Test("What an upstream is asked reaches it on its event loop, whoever asks")
    func forwarding() {
        let session = self.session()
        session.probe()
        session.drain(gracePeriod: .seconds(9), lingering: .seconds(4))
        session.giveWay(toConnection: 5)
        session.end(code: .shutdown, reason: "")
        session.revoke()
        #expect(self.upstream.events.isEmpty)
        self.loop.run()
        #expect(self.upstream.events == ["probe", "drain 9 4", "give way to 5", "end SHUTDOWN", "end AUTH_EXPIRED"])
        #expect(session.id == 7)
        #expect(session.connectionID == 3)
        #expect(session.target == "fake")
    }

    @Test("Only where no slot is free, an idle connection of another tunnel gives way to a new stream")
    func room() {
        var asked = 0
        let session = self.session { asked += 1 }
        for (opensWithoutWaiting, expected) in [(true, 0), (false, 1), (false, 2), (true, 2)] {
            self.upstream.opensWithoutWaiting = opensWithoutWaiting
            #expect(throws: OpenError.tooManyWaiting) {
                try session.open(OpenMetadata(target: session.target), kind: .http, deadline: .seconds(1)) { _ in }
            }
            #expect(asked == expected)
        }
        #expect(self.upstream.events == Array(repeating: "open fake", count: 4))
    }

    @Test("The control API shows the figures as they were when they were last taken")
    func figures() {
        let session = self.session()
        self.upstream.load = UpstreamLoad(streams: 12, roundTrip: .milliseconds(30), lastEcho: .now(), isDraining: true)
        #expect(session.status.activeStreams == 0)
        session.refreshSample()
        self.upstream.load = UpstreamLoad()
        let status = session.status
        #expect(status.activeStreams == 12)
        #expect(status.roundTripMilliseconds == 30)
        #expect(status.lastEchoAt != nil)
        #expect(status.draining)
        #expect(status.sessionID == "7")
        #expect(status.remoteAddress == "192.0.2.1")
    }

    @Test("The end of the token ends the use, and a later end does not put it off")
    func lifetime() {
        let session = self.session()
        let now = Date()
        session.limitLifetime(to: now.addingTimeInterval(60), now: now)
        session.limitLifetime(to: now.addingTimeInterval(90), now: now)
        self.loop.advanceTime(by: .seconds(59))
        #expect(self.upstream.events.isEmpty)
        self.loop.advanceTime(by: .seconds(1))
        #expect(self.upstream.events == ["end AUTH_EXPIRED"])
        self.loop.advanceTime(by: .seconds(60))
        #expect(self.upstream.events.count == 1)
    }

    @Test("A newer token puts the end off; an older one, or one that was cut short meanwhile, does not")
    func renewal() {
        let session = self.session()
        let now = Date()
        let stamp = SigningKeyStamp(kid: "k", bytes: [1])
        session.limitLifetime(to: now.addingTimeInterval(60), now: now)
        #expect(session.renew(issuedAt: 40, signedBy: stamp, until: now.addingTimeInterval(100), now: now))
        #expect(session.tokenIssuedAt == 40)
        #expect(session.signedBy == stamp)
        #expect(!session.renew(issuedAt: 30, signedBy: nil, until: now.addingTimeInterval(900), now: now))
        #expect(!session.renew(issuedAt: 40, signedBy: nil, until: now.addingTimeInterval(900), now: now))
        #expect(session.signedBy == stamp)
        self.loop.advanceTime(by: .seconds(99))
        #expect(self.upstream.events.isEmpty)
        session.limitLifetime(to: now.addingTimeInterval(150), now: now.addingTimeInterval(99))
        self.loop.advanceTime(by: .seconds(1))
        #expect(self.upstream.events == ["end AUTH_EXPIRED"])
    }

    @Test("A session that has ended has no timer left")
    func cancelled() {
        let session = self.session()
        session.limitLifetime(to: Date())
        session.cancelTimers()
        self.loop.advanceTime(by: .seconds(60))
        #expect(self.upstream.events.isEmpty)
    }
}
