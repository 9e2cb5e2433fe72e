// SPDX-License-Identifier: Apache-2.0

import Protocol
import Testing

@testable import ConnectorCore

@Suite("The directions of a pipe")
struct PipeCloseStateTests {
    @Test("Each side's end of input half-closes the other, once")
    func halfClose() {
        var state = PipeCloseState()
        #expect(state.streamFinished() == .finishLocal)
        #expect(state.streamFinished() == .nothing)
        #expect(state.localFinished() == .finishStream)
        #expect(state.localFinished() == .nothing)
        #expect(state.localClosed() == .nothing)
        #expect(state.streamClosed() == .nothing)
    }

    @Test("A stream that closes in good order closes the local connection")
    func streamClosed() {
        var state = PipeCloseState()
        #expect(state.localFinished() == .finishStream)
        #expect(state.streamClosed() == .closeLocal)
        #expect(state.localClosed() == .nothing)
    }

    @Test("A reset stream aborts the local connection, NO_ERROR only closes it")
    func streamReset() {
        var aborted = PipeCloseState()
        #expect(aborted.streamFailed(.cancelled) == .abortLocal)
        #expect(aborted.streamClosed() == .nothing)
        #expect(aborted.localFailed(.localReset) == .nothing)
        var closed = PipeCloseState()
        #expect(closed.streamFailed(.noError) == .closeLocal)
    }

    @Test("After our half-close, the close of the local connection is its end of input, unless an error came first")
    func closeAfterHalfClose() {
        var orderly = PipeCloseState()
        #expect(orderly.streamFinished() == .finishLocal)
        orderly.localOutputShut()
        #expect(orderly.localClosed() == .finishStream)
        #expect(orderly.localClosed() == .nothing)
        var broken = PipeCloseState()
        #expect(broken.streamFinished() == .finishLocal)
        broken.localOutputShut()
        #expect(broken.localFailed(.localReset) == .resetStream(.localReset))
        #expect(broken.localClosed() == .nothing)
        var unwritten = PipeCloseState()
        #expect(unwritten.streamFinished() == .finishLocal)
        #expect(unwritten.localClosed() == .resetStream(.localReset))
    }

    @Test("A local reset before the end of the answer resets the stream")
    func localReset() {
        var state = PipeCloseState()
        #expect(state.localFailed(.localReset) == .resetStream(.localReset))
        #expect(state.localClosed() == .nothing)
        #expect(state.streamFinished() == .nothing)
        #expect(state.streamFailed(.localReset) == .nothing)
    }

    @Test("A local reset after the end of the answer spares the answer and stops the request")
    func localResetAfterAnswer() {
        var state = PipeCloseState()
        #expect(state.localFinished() == .finishStream)
        #expect(state.localFailed(.localReset) == .stopReadingStream(.localReset))
        #expect(state.streamFinished() == .nothing)
    }

    @Test("When the edge wants no more, the local connection is left unread and its end is not told")
    func stopSending() {
        var state = PipeCloseState()
        #expect(state.streamStoppedReading() == .stopReadingLocal)
        #expect(state.streamStoppedReading() == .nothing)
        #expect(state.localFinished() == .nothing)
        #expect(state.streamFinished() == .finishLocal)
        #expect(state.streamClosed() == .closeLocal)
    }
}
