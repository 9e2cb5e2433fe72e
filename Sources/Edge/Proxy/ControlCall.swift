// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import HTTPTypes
import NIOCore

/// A call to the control API: reads its body, has it answered, and sends the answer.
final class ControlCall: Responder {
    private enum Phase {
        case reading
        case answering
        case over
    }

    private let head: RequestHead
    private let request: IncomingRequest
    private var phase = Phase.reading
    private var body = ByteBuffer()
    private var sink: (any ResponseSink)?

    init(_ head: RequestHead, _ request: IncomingRequest) {
        self.head = head
        self.request = request
    }

    private var maximumBody: Int { self.request.services.controlPlane.maximumBodyLength }

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        guard self.request.traits.hasBody else { return self.call(isComplete: true) }
        if case .length(let length) = self.head.framing, length > UInt64(self.maximumBody) {
            return self.call(isComplete: false)
        }
        if self.request.traits.expectsContinue {
            sink.head(HeadWriter.response(status: 100))
            sink.flush()
        }
    }

    let takesFraming = false
    var appetite: Int { self.phase == .reading ? .max : 0 }
    var turn: Turn { self.phase == .reading ? .visitorAtOnce : .neither }

    var heldBytes: Int { self.head.section.bytes.readableBytes + self.body.storageCapacity }

    func giveWay(_ error: VisitorError, detail: String) {
        self.refuse(error, detail: detail)
    }

    func received(_ bytes: ByteBuffer) {
        self.body.writeImmutableBuffer(bytes)
        // What is too large is refused by the control plane, which also writes the audit log; the rest is not read.
        if self.body.readableBytes > self.maximumBody { self.call(isComplete: false) }
    }

    func receivedEnd() {
        self.call(isComplete: true)
    }

    func bodyFailed(_ fault: HTTPFault) {
        self.refuse(VisitorError(fault), detail: "\(fault.sentence).")
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {
        if kind == .body { self.refuse(.requestTimeout, detail: nil) }
    }

    private func refuse(_ error: VisitorError, detail: String?) {
        self.answer(.error(error, detail: detail), isHTML: false)
    }

    private func call(isComplete: Bool) {
        guard self.phase == .reading else { return }
        self.phase = .answering
        let head = self.head
        var call = HTTPRequest(
            method: HTTPRequest.Method(head.methodText) ?? .get,
            scheme: self.request.visitor.scheme,
            authority: head.section.first(.host),
            path: head.targetText
        )
        for field in head.section.textFields {
            guard let name = HTTPField.Name(field.name) else { continue }
            call.headerFields.append(HTTPField(name: name, value: field.value))
        }
        let bound = NIOLoopBound(self, eventLoop: self.request.eventLoop)
        let (controlPlane, remoteAddress) = (self.request.services.controlPlane, self.request.callerAddress)
        self.request.eventLoop.makeFutureWithTask { [call, body = self.body, id = self.request.id] in
            await controlPlane.respond(to: call, body: body, remoteAddress: remoteAddress, requestID: id)
        }
        .whenSuccess { response, body in
            bound.value.answer(.whole(response, body, isLast: !isComplete), isHTML: nil)
        }
    }

    private func answer(_ content: EdgeAnswer.Content, isHTML: Bool?) {
        guard let sink = self.sink.take() else { return }
        self.phase = .over
        sink.handOver(to: EdgeAnswer(self.request, content, isHTML: isHTML))
    }

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.phase = .over
        self.request.finish()
    }
}
