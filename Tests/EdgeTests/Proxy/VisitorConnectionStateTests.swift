// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("A visitor's connection, decided")
struct VisitorConnectionStateTests {
    private typealias State = VisitorConnectionState
    private typealias Answer = VisitorConnectionState.Answer

    private static let edge = Answer(author: .edge)
    private static let origin = Answer(author: .origin)

    /// A connection whose request has come as far as a phase.
    private func state(_ phase: State.Phase, _ request: RequestTraits = RequestTraits()) -> State {
        var state = State()
        switch phase {
        case .head: break
        case .body:
            #expect(request == RequestTraits())
            state.began(RequestTraits(hasBody: true))
        case .awaitingAnswer: state.began(request)
        case .raw:
            state.began(request)
            state.switchedProtocols()
        case .lingering: _ = state.idledOut()
        case .closed: state.closed()
        }
        #expect(state.phase == phase)
        return state
    }

    private static let phases: [State.Phase] = [.head, .body, .awaitingAnswer, .raw, .lingering, .closed]

    // MARK: One formula

    /// One line of the table of what keeps a connection.
    struct Keeping: CustomTestStringConvertible {
        var request = RequestTraits()
        var answer: VisitorConnectionState.Answer
        var isBodyDue = false
        var isLeaving = false
        var connection: ResponseRewrite.Connection

        var testDescription: String { "\(self)" }
    }

    @Test(
        "A connection is kept if the visitor wants it, can tell the end of the answer, and nothing stands in the way",
        arguments: [
            Keeping(answer: edge, connection: .kept), Keeping(answer: origin, connection: .kept),
            Keeping(request: RequestTraits(isKeepAlive: false), answer: origin, connection: .close),
            Keeping(request: RequestTraits(isUpgrade: true), answer: origin, connection: .close),
            Keeping(request: RequestTraits(isUpgrade: true), answer: edge, connection: .close),
            Keeping(request: RequestTraits(version: .http10), answer: origin, connection: .keepAlive),
            Keeping(request: RequestTraits(version: .http10), answer: edge, connection: .close),
            Keeping(
                request: RequestTraits(version: .http10),
                answer: Answer(author: .origin, isDelimited: false),
                connection: .close
            ),
            Keeping(answer: Answer(author: .edge, isFault: true), connection: .close),
            Keeping(answer: edge, isBodyDue: true, connection: .close),
            Keeping(answer: origin, isBodyDue: true, connection: .close),
            Keeping(answer: Answer(author: .origin, takesRest: true), isBodyDue: true, connection: .kept),
            Keeping(answer: edge, isLeaving: true, connection: .close),
            Keeping(answer: origin, isLeaving: true, connection: .close),
        ]
    )
    func keeping(_ line: Keeping) {
        var state = self.state(line.isBodyDue ? .body : .awaitingAnswer, line.request)
        if line.isLeaving { _ = state.entered(.leaving, hasUnread: false) }
        #expect(state.decide(line.answer) == line.connection)
        state.completedBody()
        let action = state.answered(hasUnread: false)
        #expect(state.phase == (line.connection == .close ? .lingering : .head))
        #expect(action == (line.connection == .close ? .endOutput : .nothing))
    }

    @Test("A body that nobody reads to its end closes the connection, whatever the answer said")
    func abandonedBody() {
        for abandon in [true, false] {
            var state = self.state(.body)
            #expect(state.decide(Answer(author: .origin, takesRest: true)) == .kept)
            if abandon { state.abandonedBody() }
            #expect(state.answered(hasUnread: false) == .endOutput)
            #expect(state.phase == .lingering)
        }
        var abandoned = self.state(.body)
        abandoned.abandonedBody()
        #expect(abandoned.phase == .awaitingAnswer)
        #expect(abandoned.decide(Self.edge) == .close)
    }

    @Test("A head that can't be read is the last, also behind one that was kept")
    func unreadable() {
        var state = self.state(.awaitingAnswer)
        _ = state.decide(Self.origin)
        _ = state.answered(hasUnread: true)
        state.beganUnreadable()
        #expect(state.decide(Self.edge) == .close)
        #expect(state.answered(hasUnread: true) == .endOutput)
    }

    // MARK: Ends

    @Test("The end of the visitor's direction, once all that came is taken, in every phase")
    func inputEnds() {
        let expected: [State.Phase: State.Action] = [
            .head: .endOutput, .body: .close, .awaitingAnswer: .nothing, .raw: .tellInputEnd, .lingering: .nothing,
            .closed: .nothing,
        ]
        for phase in Self.phases {
            var state = self.state(phase)
            #expect(state.ranDry() == .nothing, "\(phase): nothing has ended")
            #expect(state.inputEnded() == .nothing, "\(phase)")
            #expect(state.ranDry() == expected[phase], "\(phase)")
            if phase == .raw { #expect(state.ranDry() == .nothing, "told once") }
        }
    }

    @Test("The connection closes when both directions have ended, in either order")
    func bothEnds() {
        var outputFirst = self.state(.lingering)
        #expect(outputFirst.output == .ending)
        #expect(outputFirst.outputEnded() == .nothing)
        #expect(outputFirst.inputEnded() == .close)

        var inputFirst = self.state(.lingering)
        #expect(inputFirst.inputEnded() == .nothing)
        #expect(inputFirst.outputEnded() == .close)
    }

    @Test("A visitor who said that the request is its last is not waited for, unless more came")
    func visitorsLast() {
        for (hasUnread, action) in [(false, State.Action.close), (true, .nothing)] {
            var state = self.state(.awaitingAnswer, RequestTraits(isKeepAlive: false))
            _ = state.decide(Self.origin)
            #expect(state.answered(hasUnread: hasUnread) == .endOutput)
            #expect(state.outputEnded() == action)
        }
        #expect(!RequestTraits(isKeepAlive: false, hasBody: true).isVisitorsLast)
        #expect(!RequestTraits(isKeepAlive: false, isUpgrade: true).isVisitorsLast)
        #expect(!RequestTraits().isVisitorsLast)
    }

    @Test("After a 101 our direction ends by itself, once")
    func rawOutputEnd() {
        var state = self.state(.raw)
        #expect(state.endsOutput() == .endOutput)
        #expect(state.endsOutput() == .nothing)
        #expect(state.outputEnded() == .nothing)
        #expect(state.phase == .raw)
        #expect(state.answered(hasUnread: false) == .nothing)
        #expect(state.phase == .lingering)
        #expect(state.inputEnded() == .close)
        for phase in Self.phases where phase != .raw {
            var other = self.state(phase)
            #expect(other.endsOutput() == .nothing, "\(phase)")
        }
    }

    @Test("Events that come too late change nothing")
    func late() {
        for phase in [State.Phase.lingering, .closed] {
            var state = self.state(phase)
            let before = state
            #expect(state.answered(hasUnread: false) == .nothing)
            #expect(state.idledOut() == .nothing)
            state.completedBody()
            state.abandonedBody()
            state.switchedProtocols()
            #expect(state == before, "\(phase)")
        }
    }

    // MARK: The listener leaves

    @Test("A listener that leaves is told to whoever is answering; one that closes ends the time between requests")
    func leaving() {
        let responding: [State.Phase: State.Action] = [.body: .tellLeaving, .awaitingAnswer: .tellLeaving]
        for phase in Self.phases {
            var state = self.state(phase)
            #expect(state.entered(.leaving, hasUnread: false) == responding[phase] ?? .nothing, "\(phase)")
            #expect(state.entered(.leaving, hasUnread: false) == .nothing, "\(phase): once")
            let closing = state.entered(.closing, hasUnread: false)
            #expect(closing == responding[phase] ?? .nothing, "\(phase)")
        }
        var state = self.state(.awaitingAnswer)
        _ = state.decide(Self.origin)
        _ = state.answered(hasUnread: false)
        #expect(state.phase == .head)
        #expect(state.entered(.leaving, hasUnread: false) == .nothing)
        #expect(state.entered(.closing, hasUnread: false) == .endOutput)
    }

    @Test("The first request of a connection that was accepted last is waited for, but not for long")
    func firstRequest() {
        var state = self.state(.head)
        func wait() -> ConnectionDeadlines.Kind? { state.wait(hasUnread: false, isWritable: true, turn: .neither) }
        #expect(wait() == .idle)
        #expect(state.entered(.closing, hasUnread: false) == .nothing)
        #expect(wait() == .firstRequest)
        #expect(state.wait(hasUnread: true, isWritable: true, turn: .neither) == .head)
        #expect(state.idledOut() == .endOutput)
    }

    @Test("Half a head is no time between requests: it is answered, and the answer is the last")
    func headWhileClosing() {
        var state = self.state(.head)
        #expect(state.entered(.closing, hasUnread: true) == .nothing)
        state.began(RequestTraits())
        #expect(state.decide(Self.origin) == .close)
    }

    @Test("An answer that was promised to be followed is, while the listener leaves; when it closes only what has come")
    func promised() {
        for (stage, hasUnread, isKept) in [
            (VisitorConnections.Stage.leaving, false, true), (.closing, true, true), (.closing, false, false),
        ] {
            var state = self.state(.awaitingAnswer)
            #expect(state.decide(Self.origin) == .kept)
            _ = state.entered(stage, hasUnread: hasUnread)
            #expect(state.answered(hasUnread: hasUnread) == (isKept ? .nothing : .endOutput))
        }
    }

    // MARK: Time

    @Test("What is waited for follows from the phase, who takes bytes and whose turn it is")
    func waiting() {
        func wait(
            _ state: State,
            hasUnread: Bool = false,
            isWritable: Bool = true,
            turn: Turn = .neither
        ) -> ConnectionDeadlines.Kind? {
            state.wait(hasUnread: hasUnread, isWritable: isWritable, turn: turn)
        }
        #expect(wait(self.state(.head)) == .idle)
        #expect(wait(self.state(.head), hasUnread: true) == .head)
        #expect(wait(self.state(.head), isWritable: false) == .stalledDownload)
        #expect(wait(self.state(.closed)) == nil)
        for phase in [State.Phase.body, .awaitingAnswer, .raw] {
            let state = self.state(phase)
            #expect(wait(state, isWritable: false, turn: .visitor(minimum: 1)) == .stalledDownload)
            #expect(wait(state, turn: .visitor(minimum: 16)) == .upload(minimum: 16))
            #expect(wait(state, turn: .visitorAtOnce) == .body)
            #expect(wait(state, turn: .origin(.seconds(3))) == .response(.seconds(3)))
            #expect(wait(state) == nil)
        }
        var lingering = self.state(.lingering)
        #expect(wait(lingering) == .stalledDownload)
        _ = lingering.outputEnded()
        #expect(wait(lingering) == .lingering)
    }

    @Test("A visitor who closed its direction while it waits has a moment, unless it still takes what is written")
    func halfClosed() {
        for (wrote, hasQueued, action) in [
            (false, false, State.Action.close), (true, false, .nothing), (false, true, .nothing),
        ] {
            var state = self.state(.awaitingAnswer)
            _ = state.inputEnded()
            #expect(state.wait(hasUnread: false, isWritable: true, turn: .origin(.seconds(3))) == .halfClosed)
            if wrote { state.wrote() }
            #expect(state.examinedHalfClose(hasQueued: hasQueued) == action)
            guard action == .nothing else { continue }
            #expect(
                state.wait(hasUnread: false, isWritable: true, turn: .origin(.seconds(3))) == .response(.seconds(3))
            )
        }
    }
}
