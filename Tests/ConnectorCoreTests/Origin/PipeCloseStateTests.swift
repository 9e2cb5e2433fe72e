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

    @Test("A connection that is reset after its end of input is reset at the stream, too, unless that is finished")
    func resetAfterEndOfConnection() {
        var open = PipeCloseState(.connection)
        #expect(open.localFinished() == .finishStream)
        #expect(open.localFailed(.localReset) == .resetStream(.localReset))
        #expect(open.localClosed() == .nothing)
        #expect(open.streamFinished() == .nothing)
        // NIO says of a write that failed only that the socket is closed.
        var unsaid = PipeCloseState(.connection)
        #expect(unsaid.localFinished() == .finishStream)
        #expect(unsaid.localClosed() == .resetStream(.localReset))
        var unwanted = PipeCloseState(.connection)
        #expect(unwanted.streamStoppedReading() == .stopReadingLocal)
        #expect(unwanted.localFailed(.localReset) == .resetStream(.localReset))
        var finished = PipeCloseState(.connection)
        #expect(finished.localFinished() == .finishStream)
        #expect(finished.streamFinished() == .finishLocal)
        #expect(finished.localFailed(.localReset) == .nothing)
    }

    @Test("A stream that has finished both ways leaves what is queued for the local connection in its queue")
    func finishedStreamSparesTheQueue() {
        for traffic in [PipeCloseState.Traffic.exchange, .connection] {
            var state = PipeCloseState(traffic)
            #expect(state.localFinished() == .finishStream)
            #expect(state.streamFinished() == .finishLocal)
            #expect(state.streamClosed() == .nothing)
            state.localOutputShut()
            #expect(state.localClosed() == .nothing)
        }
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
