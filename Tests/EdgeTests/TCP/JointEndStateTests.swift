// SPDX-License-Identifier: Apache-2.0

import Mux
import Protocol
import Testing

@testable import EdgeTCP

@Suite("The rules of an end of a joint")
struct JointEndStateTests {
    private static let reset = StreamError(code: .localReset, reason: "", origin: .resetByPeer, isRetrySafe: false)

    @Test("The end of input is told once, and the close of both directions tells nothing more")
    func orderlyEnd() {
        let state = Held(JointEndState())
        #expect(state.does { $0.inputEnded() } == .finish)
        #expect(state.does { $0.inputEnded() } == nil)
        #expect(state.does { $0.told(.finish) })
        #expect(!state.does { $0.told(.finish) })
        state.does { $0.outputShut() }
        #expect(state.does { $0.closed() } == nil)
        #expect(state.does { $0.failed(Self.reset) } == nil)
    }

    @Test("A socket whose output is shut and that is closed without an error has ended its input")
    func closeInPlaceOfEndOfInput() {
        let state = Held(JointEndState())
        #expect(state.does { $0.told(.finish) })
        state.does { $0.outputShut() }
        #expect(state.does { $0.closed() } == .finish)
        #expect(state.does { $0.closed() } == nil)
    }

    @Test(
        "A close while the half-close waits behind what is queued breaks the connection off",
        arguments: [false, true]
    )
    func closeBeforeTheQueueIsWritten(hasInputEnded: Bool) {
        let state = Held(JointEndState())
        if hasInputEnded { _ = state.does { $0.inputEnded() } }
        #expect(state.does { $0.told(.finish) })
        guard case .abort(let error) = state.does({ $0.closed() }) else {
            Issue.record("the visitor's reset became an end")
            return
        }
        #expect(error.code == .cancelled)
        // What comes too late changes nothing.
        state.does { $0.outputShut() }
        #expect(state.does { $0.closed() } == nil)
    }

    @Test("A close while the other direction is open breaks the connection off", arguments: [false, true])
    func close(hasInputEnded: Bool) {
        let state = Held(JointEndState())
        if hasInputEnded {
            #expect(state.does { $0.inputEnded() } == .finish)
        }
        guard case .abort(let error) = state.does({ $0.closed() }) else {
            Issue.record("nothing was told")
            return
        }
        #expect(error.code == .cancelled)
    }

    @Test("An error is told once, whatever was before, and nothing afterwards")
    func failure() {
        for steps in 0..<4 {
            let state = Held(JointEndState())
            if steps & 1 != 0 { _ = state.does { $0.inputEnded() } }
            if steps & 2 != 0 { _ = state.does { $0.told(.finish) } }
            #expect(state.does { $0.failed(Self.reset) } == .abort(Self.reset))
            #expect(state.does { $0.failed(Self.reset) } == nil)
            #expect(state.does { $0.closed() } == nil)
            #expect(state.does { $0.inputEnded() } == nil)
            #expect(state.does { $0.peerStoppedReading() } == nil)
            for signal in [JointSignal.finish, .stopReading, .abort(Self.reset)] {
                #expect(!state.does { $0.told(signal) })
            }
        }
    }

    @Test("An abort from the other end is carried out once, and its echo tells nothing")
    func abortFromTheOtherEnd() {
        let state = Held(JointEndState())
        #expect(state.does { $0.told(.abort(Self.reset)) })
        #expect(state.does { $0.isOver })
        #expect(!state.does { $0.told(.abort(Self.reset)) })
        #expect(state.does { $0.failed(Self.reset) } == nil)
        #expect(state.does { $0.closed() } == nil)
    }

    @Test("Who takes no more stops the other end's reading, unless there is nothing more to come")
    func stopReading() {
        let state = Held(JointEndState())
        #expect(state.does { $0.peerStoppedReading() } == .stopReading)
        #expect(state.does { $0.peerStoppedReading() } == nil)
        let finished = Held(JointEndState())
        #expect(finished.does { $0.told(.finish) })
        #expect(finished.does { $0.peerStoppedReading() } == nil)
        let ended = Held(JointEndState())
        #expect(ended.does { $0.told(.stopReading) })
        _ = ended.does { $0.inputEnded() }
        #expect(!ended.does { $0.told(.stopReading) })
    }
}
