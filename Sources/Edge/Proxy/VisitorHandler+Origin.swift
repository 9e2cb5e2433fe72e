// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore
import Protocol

extension VisitorHandler: OriginLinkConsumer {
    // MARK: The response

    func originReceived(_ bytes: ByteBuffer) {
        guard self.exchange != nil else { return }
        self.exchange?.state.receivedBytes()
        // Behind a complete response it is only of interest that something came: the connection is not clean.
        if self.exchange?.fromOrigin.readableBytes == 0 || self.exchange?.state.responseHalf == .complete {
            self.exchange?.fromOrigin = bytes
        } else {
            self.exchange?.fromOrigin.writeImmutableBuffer(bytes)
        }
        self.forwardResponse()
    }

    func originCompletedRead() {
        self.flushIfNeeded()
        guard let context, let exchange = self.exchange else { return }
        // Where both directions are at work, either is progress.
        if exchange.state.turn == .visitor, !exchange.state.isUnanswered { self.setExchangeDeadline() }
        // After a complete response only the end of the connection is still of interest.
        if context.channel.isWritable || exchange.state.responseHalf == .complete {
            exchange.link?.read()
        } else {
            self.isOriginPaused = true
        }
    }

    private func forwardResponse() {
        while let exchange = self.exchange, exchange.fromOrigin.readableBytes > 0 {
            if exchange.state.requestHalf == .raw { return self.forwardRaw() }
            switch exchange.state.responseHalf {
            case .awaitingHead:
                guard self.forwardHead() else { return }
            case .body:
                guard self.forwardResponseBody() else { return }
            case .complete: return
            }
        }
    }

    /// Whether a whole head was taken.
    private func forwardHead() -> Bool {
        do {
            guard var fromOrigin = self.exchange?.fromOrigin,
                let head = try self.exchange?.responseParser.response(&fromOrigin)
            else { return false }
            self.exchange?.fromOrigin = fromOrigin
            if self.exchange?.record.answered == nil { self.exchange?.record.answered = .now() }
            guard let action = try self.exchange?.state.received(head), let urls = self.exchange?.urls else {
                return false
            }
            let rewrite = ResponseRewrite(urls: urls)
            switch action {
            case .dropInterim: break
            case .forwardInterim:
                // After a 100 it is the visitor's turn.
                if head.status == 100, self.exchange?.state.turn == .visitor { self.setExchangeDeadline() }
                self.write(rewrite.head(head, framing: .asReceived, connection: .kept))
            case .upgrade:
                self.exchange?.forgetRequestHead()
                self.exchange?.record.status = 101
                self.write(rewrite.head(head, framing: .asReceived, connection: .kept))
                self.flushIfNeeded()
                self.cancelDeadline()
                _ = self.forwardRequest()
                // Its end may have come before the 101.
                if self.hasInputEnded { self.exchangeInputEnded() }
                self.updateReading()
            case .final(let framing, let visitorFraming, let connection):
                self.exchange?.forgetRequestHead()
                self.exchange?.record.status = head.status
                self.exchange?.responseBody = BodyReader(framing)
                self.exchange?.responseFraming = visitorFraming
                self.setExchangeDeadline()
                self.write(rewrite.head(head, framing: visitorFraming, connection: connection))
                if self.exchange?.responseBody?.isComplete == true { return self.completeResponse() }
            }
            return true
        } catch {
            self.invalidResponse(error)
            return false
        }
    }

    private func forwardResponseBody() -> Bool {
        guard let framing = self.exchange?.responseFraming, var fromOrigin = self.exchange?.fromOrigin else {
            return false
        }
        // Left unshared, so that taking slices off it copies nothing.
        self.exchange?.fromOrigin = ByteBuffer()
        do {
            // HTTP/1.0 visitors know no chunks: they get the content and the end of the connection.
            let isPlain = framing == .untilClose
            while let bytes = try self.exchange?.responseBody?.read(&fromOrigin, contentOnly: isPlain) {
                self.exchange?.record.sent += bytes.readableBytes
                self.writeBody(bytes, framing)
            }
        } catch {
            self.exchange?.record.error = .originInvalidResponse
            self.cutExchange()
            return false
        }
        self.exchange?.fromOrigin = fromOrigin
        guard self.exchange?.responseBody?.isComplete == true else { return false }
        return self.completeResponse()
    }

    private func writeBody(_ bytes: ByteBuffer, _ framing: ResponseRewrite.Framing) {
        guard framing == .chunked else { return self.write(bytes) }
        self.write(ByteBuffer(string: String(bytes.readableBytes, radix: 16) + "\r\n"))
        self.write(bytes)
        self.write(ByteBuffer(string: "\r\n"))
    }

    /// Whether there is more to do.
    private func completeResponse() -> Bool {
        if self.exchange?.responseFraming == .chunked { self.write(ByteBuffer(string: "0\r\n\r\n")) }
        self.exchange?.state.completedResponse()
        self.concludeExchange()
        return false
    }

    private func invalidResponse(_ fault: HTTPFault) {
        let looksLikeTLS = self.exchange?.fromOrigin.readableBytesView.first.map { $0 == 0x15 || $0 == 0x16 } ?? false
        let detail =
            looksLikeTLS
            ? "The answer looks like TLS: forward to an https:// target."
            : "What was wrong: \(fault.reason)."
        self.failExchange(.originInvalidResponse, detail: detail)
    }

    // MARK: Bytes both ways

    private func forwardRaw() {
        guard let bytes = self.exchange?.fromOrigin else { return }
        self.exchange?.fromOrigin = ByteBuffer()
        self.exchange?.record.sent += bytes.readableBytes
        self.write(bytes)
    }

    /// Both sides have ended.
    func endRaw() {
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        exchange.link?.leave()
        exchange.record.finish(in: self.services.accessLog)
        self.closeSoon()
    }

    // MARK: The end of the origin's side

    func originEnded() {
        guard let exchange = self.exchange else { return }
        self.exchange?.hasOriginEnded = true
        self.flushIfNeeded()
        if exchange.state.requestHalf == .raw {
            return exchange.hasVisitorEnded ? self.endRaw() : self.endOutput()
        }
        switch exchange.state.responseHalf {
        case .awaitingHead:
            self.originLost(.originClosed, detail: nil, isReused: self.wasReused, isUnsent: false)
        case .body:
            self.exchange?.responseBody?.connectionEnded()
            if self.exchange?.responseBody?.isComplete == true {
                _ = self.completeResponse()
            } else {
                self.exchange?.record.error = .originClosed
                self.cutExchange()
            }
        case .complete:
            // The upload has nowhere to go any more.
            self.exchange?.state.abandonedRequest()
            self.concludeExchange()
        }
    }

    func originFailed(_ failure: OriginLink.Failure) {
        guard let exchange = self.exchange else { return }
        switch failure {
        case .unavailable(let error):
            let visitorError: VisitorError = error == .tooManyWaiting ? .tooManyStreams : .tunnelOffline
            self.originLost(visitorError, detail: nil, isReused: false, isUnsent: error == .sessionUnavailable)
        case .stream(let error, let isReused, let isAfterEnd):
            if isAfterEnd, exchange.hasOriginEnded, exchange.state.requestHalf == .raw { return self.endRaw() }
            let isUnsent = error.isRetrySafe && (error.code == .draining || error.code == .sessionLost)
            let detail = error.origin == .rejected && !error.reason.isEmpty ? error.reason : nil
            self.originLost(VisitorError(error), detail: detail, isReused: isReused, isUnsent: isUnsent)
        }
    }

    private var wasReused: Bool { self.exchange?.link?.isReused ?? false }

    private func originLost(_ error: VisitorError, detail: String?, isReused: Bool, isUnsent: Bool) {
        guard let action = self.exchange?.state.failed(isReused: isReused, isUnsent: isUnsent) else { return }
        switch action {
        case .retry:
            self.exchange?.link?.reset(.cancelled)
            self.exchange?.link = nil
            self.exchange?.hasOriginEnded = false
            self.exchange?.fromOrigin = ByteBuffer()
            self.retry()
        case .answer:
            let isSilent = error == .originClosed && !isReused && self.exchange?.state.hasResponseBytes == false
            self.answer(error, detail: detail.map { "The connector says: \($0)" } ?? (isSilent ? Self.silence : nil))
        case .cut:
            self.exchange?.record.error = error
            self.cutExchange()
        case .over:
            self.exchange?.state.abandonedRequest()
            self.concludeExchange()
        }
    }

    /// What is to be said of an origin that takes a request and closes without a byte: OpenSSL does, in most servers.
    private static let silence =
        "It sent nothing at all. A server that expects TLS does that: then forward to an https:// target."

    func originStoppedReading(isReused: Bool) {
        guard let exchange = self.exchange else { return }
        if exchange.state.requestHalf == .body {
            // The response tells why; what the visitor still sends has no reader.
            self.exchange?.state.abandonedRequest()
            if self.exchange?.state.isOver == true { self.concludeExchange() }
        } else if exchange.state.isLostOnUsedConnection(isReused: isReused) {
            self.retryUnlessAnswered(exchange.record.requestID)
        }
    }

    /// Sends the request again if nothing of a response comes with what was read just now.
    private func retryUnlessAnswered(_ requestID: RequestID) {
        guard let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let handler = handler.value
            guard let exchange = handler.exchange, exchange.record.requestID == requestID,
                exchange.state.isLostOnUsedConnection(isReused: true)
            else { return }
            handler.originLost(.originClosed, detail: nil, isReused: true, isUnsent: false)
        }
    }

    func originWritabilityChanged() {
        guard let link = self.exchange?.link, link.isWritable else { return }
        self.process()
        link.flush()
        self.updateReading()
    }
}
