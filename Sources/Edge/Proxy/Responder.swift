// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import NIOCore

/// Answers one request: told by the visitor's connection what comes from there, and tells its ``ResponseSink`` what to
/// send; all of it on the connection's event loop.
protocol Responder: AnyObject {
    /// It is this responder's turn.
    ///
    /// - Parameter sink: Where the answer goes; to be let go of with the last call to it.
    func begin(_ sink: any ResponseSink)

    /// How many bytes of the request's body, or after a 101 of anything, are taken now.
    var appetite: Int { get }
    /// Whether the body is given with the framing of its chunks.
    var takesFraming: Bool { get }
    /// Whose turn it is.
    var turn: Turn { get }
    /// How much memory is held of the request, and of an answer that has not been passed on, in bytes.
    var heldBytes: Int { get }

    /// Bytes of the request's body, or after a 101 of anything, no more than ``appetite``.
    func received(_ bytes: ByteBuffer)
    /// The body is complete; not called for a request that has none.
    func receivedEnd()
    /// What was given is all for the moment.
    func completedRead()
    /// The body can't be understood, nor what follows it.
    func bodyFailed(_ fault: HTTPFault)
    /// After a 101: the visitor has ended its direction.
    func inputEnded()
    /// The visitor takes again what is written.
    func visitorTakesAgain()
    /// What the responder waited for has not come in its time.
    func deadlinePassed(_ kind: ConnectionDeadlines.Kind)
    /// The edge leaves, or closes: what may still be waited for the sink's stage says.
    func edgeLeaves()
    /// The request's place is another's: it ends, if it is the one with this ticket.
    func gaveWay(_ ticket: VisitorTicket)
    /// The request is given up, since what it takes is needed by others.
    func giveWay(_ error: VisitorError, detail: String)
    /// The connection is gone; the sink is of no use any more.
    ///
    /// - Parameter isBroken: Whether the connection broke, rather than ended.
    func visitorLeft(isBroken: Bool)
}

/// What a responder that takes no body need not say.
extension Responder {
    var appetite: Int { 0 }
    var takesFraming: Bool { true }
    var heldBytes: Int { 0 }
    func received(_ bytes: ByteBuffer) {}
    func receivedEnd() {}
    func completedRead() {}
    func bodyFailed(_ fault: HTTPFault) {}
    func inputEnded() {}
    func visitorTakesAgain() {}
    func edgeLeaves() {}
    func gaveWay(_ ticket: VisitorTicket) {}
    func giveWay(_ error: VisitorError, detail: String) {}
}

/// Where a ``Responder`` sends its answer: the visitor's connection, on its event loop.
protocol ResponseSink: AnyObject {
    /// Whether the visitor takes what is written.
    var isWritable: Bool { get }
    /// How far the listener is on its way out: while it leaves, no connector comes to this edge, though one may come to
    /// another; when it closes, nothing is waited for.
    var stage: VisitorConnections.Stage { get }

    /// Decides whether the connection goes on after an answer; the answer's head has to say so.
    func decide(_ answer: VisitorConnectionState.Answer) -> ResponseRewrite.Connection
    /// A connection to an origin belongs to the visitor's from now on, in place of one that did before.
    func bind(_ origin: BoundOrigin)
    /// The origin is at work: it has all its time again.
    func originAnsweredInterim()
    /// Bytes of a head, interim or final, with whatever follows it in the same buffer.
    func head(_ bytes: ByteBuffer)
    /// Bytes of the body as they go over the wire, or after a 101 of anything.
    func body(_ bytes: ByteBuffer)
    /// What was written is all for the moment.
    func flush()
    /// The answer is complete, and with it the responder's turn.
    func end()
    /// What follows in both directions is bytes.
    func switchProtocols()
    /// After a 101: the origin has ended its direction.
    func endOutput()
    /// The connection is cut, so that what was sent can't be taken for a complete response; the responder's turn is over.
    func abort(withReset: Bool)
    /// The responder's appetite may have grown.
    func wantsInput()
    /// The rest of the request's body has no reader.
    func ignoresInput()
    /// Another responder goes on.
    func handOver(to responder: any Responder)
    /// The connection becomes a connector's: after these bytes it speaks another protocol.
    func upgrade(_ head: ByteBuffer, _ makeHandler: (any Channel) -> any ChannelHandler)
}
