// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore
import Protocol

extension VisitorHandler {
    // MARK: The request

    func beginExchange(
        _ head: RequestHead,
        record: RequestRecord,
        tunnel: Tunnel,
        prefixLength: Int,
        dropsAuthorization: Bool
    ) {
        var record = record
        record.tunnel = tunnel
        tunnel.recordRequest()
        let policy = tunnel.policy
        let rewrite = RequestRewrite(
            prefixLength: prefixLength,
            policy: policy,
            tunnelID: tunnel.id,
            visitor: record.visitor,
            requestID: record.requestID,
            dropsAuthorization: dropsAuthorization,
            clientIPHeader: self.services.trust.clientIPHeader?.asciiLowercased()
        )
        let isPathMode = prefixLength > 0
        let urls = PublicURLs(
            prefix: isPathMode && policy.pathMode == .strip ? "/\(tunnel.id)" : "",
            isPathMode: isPathMode,
            scheme: record.visitor.scheme,
            host: record.visitor.host,
            originHost: rewrite.originHost,
            wildcardDomain: self.services.router.wildcardDomain
        )
        self.phase = .exchange
        self.exchange = ActiveExchange(
            head: head,
            record: record,
            tunnel: tunnel,
            rewrite: rewrite,
            urls: urls,
            mayReuse: policy.originReuse == .safe && self.services.tunnels.originReuse == .safe
        )
        self.setExchangeDeadline()
        self.openOrigin()
    }

    /// Sends the request once more, on another stream.
    func retry() {
        self.services.accessLog.retried()
        self.openOrigin()
    }

    /// Sends the request's head on a stream of a session, as soon as there is one.
    private func openOrigin() {
        guard let context, let tunnel = self.exchange?.tunnel else { return }
        if let session = tunnel.pickSession(preferring: context.eventLoop) { return self.openOrigin(on: session) }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let requestID = self.exchange?.record.requestID
        tunnel.waitForSession(on: context.eventLoop, timeout: self.services.tunnels.reconnectHold).whenSuccess {
            guard handler.value.exchange?.record.requestID == requestID else { return }
            if let session = $0 {
                handler.value.openOrigin(on: session)
            } else {
                handler.value.answer(.tunnelOffline, detail: nil)
            }
        }
    }

    private func openOrigin(on session: TunnelSession) {
        guard let context, let exchange = self.exchange else { return }
        var metadata = OpenMetadata(target: session.target)
        metadata.remoteAddress = exchange.record.visitor.address
            .flatMap {
                NetworkEndpoint(address: $0.bytes, port: UInt16(clamping: context.channel.remoteAddress?.port ?? 0))
            }
        metadata.requestID = exchange.record.requestID.bytes
        self.exchange?.link = OriginLink.open(
            on: session,
            from: context.eventLoop,
            request: exchange.requestHead,
            metadata: metadata,
            // The connector's own time-out must come first: it can tell what it waited for.
            connectTimeout: self.services.tunnels.connectTimeout + .seconds(5),
            mayReuse: exchange.mayReuse && exchange.state.mayReuseStream,
            consumer: self
        )
        self.exchange?.record.forwarded = .now()
        self.process()
        self.updateReading()
    }

    /// Passes on what came of the request's body, or after a 101 of anything.
    ///
    /// Whether to go on with what is left.
    func forwardRequest() -> Bool {
        guard let link = self.exchange?.link else { return false }
        switch self.exchange?.state.requestHalf {
        case .raw:
            let bytes = self.inbound
            self.inbound = ByteBuffer()
            self.exchange?.record.received += bytes.readableBytes
            link.write(bytes)
            link.flush()
            return false
        case .body: return self.forwardBody(link)
        case .complete, nil: return false
        }
    }

    private func forwardBody(_ link: OriginLink) -> Bool {
        let waiting = self.inbound.readableBytes
        do {
            while let bytes = try self.exchange?.requestBody.read(&self.inbound) {
                self.exchange?.record.received += bytes.readableBytes
                self.exchange?.state.sentBody()
                link.write(bytes)
            }
        } catch {
            self.exchange?.state.abandonedRequest()
            self.failExchange(.badRequest, detail: "The body's \(error.reason).")
            return false
        }
        if self.exchange?.requestBody.isComplete == true {
            self.exchange?.state.completedRequest()
            link.flush()
            self.setExchangeDeadline()
            if self.exchange?.state.isOver == true {
                self.concludeExchange()
                // The next request may have come in the same read.
                return true
            }
        } else if self.hasInputEnded {
            self.context?.close(promise: nil)
        } else {
            self.uploadProgressed(waiting - self.inbound.readableBytes)
        }
        return false
    }

    /// The visitor has closed its side, or is gone: which of the two only shows when something is written.
    func exchangeInputEnded() {
        guard let exchange = self.exchange else { return }
        switch exchange.state.requestHalf {
        case .raw:
            self.exchange?.hasVisitorEnded = true
            exchange.link?.finish()
            if exchange.hasOriginEnded { self.endRaw() }
        case .body: self.context?.close(promise: nil)
        case .complete: self.setDeadline(.halfClosed)
        }
    }

    // MARK: Failures

    /// Answers with an error if nothing of a response is out, else cuts the connection.
    func failExchange(_ error: VisitorError, detail: String?) {
        guard let exchange = self.exchange else { return }
        if exchange.state.isUnanswered {
            self.answer(error, detail: detail)
        } else {
            self.exchange?.record.error = error
            self.cutExchange()
        }
    }

    func answer(_ error: VisitorError, detail: String?) {
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        exchange.link?.reset(.cancelled)
        let request = exchange.state.request
        let isClosing =
            !request.isKeepAlive || request.version == .http10 || exchange.state.requestHalf != .complete
            || request.isUpgrade || error == .badRequest
        self.writeError(
            error,
            detail: detail,
            record: &exchange.record,
            isHTML: exchange.isHTML,
            isHead: request.isHead,
            isClosing: isClosing
        )
        exchange.record.finish(in: self.services.accessLog)
        if isClosing { self.closeSoon() } else { self.awaitNextRequest() }
    }

    /// What is out of the response must not look complete.
    func cutExchange() {
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        exchange.link?.reset(.cancelled)
        exchange.record.finish(in: self.services.accessLog)
        self.flushIfNeeded()
        self.cut(withReset: exchange.responseFraming == .untilClose || exchange.state.requestHalf == .raw)
    }

    func exchangeTimedOut(_ kind: Deadline.Kind) {
        guard let exchange = self.exchange else { return }
        // Where the origin takes nothing the visitor can't send.
        let isVisitorsFault = kind == .stalledUpload && exchange.link?.isWritable == true
        self.failExchange(isVisitorsFault ? .requestTimeout : .originTimeout, detail: nil)
    }

    /// The response is complete: decides what becomes of both connections.
    func concludeExchange() {
        guard let exchange = self.exchange else { return }
        switch exchange.state.outcome() {
        case .finishUpload:
            self.flushIfNeeded()
            self.updateReading()
        case .over(let reuseStream, let keepVisitor):
            self.exchange = nil
            self.cancelDeadline()
            let isClean =
                exchange.mayReuse && reuseStream && exchange.fromOrigin.readableBytes == 0 && !exchange.hasOriginEnded
            exchange.link?.release(reusable: isClean)
            exchange.record.finish(in: self.services.accessLog)
            if keepVisitor {
                self.awaitNextRequest()
            } else {
                self.closeSoon(isVisitorDone: exchange.state.isVisitorsLast)
            }
        }
    }
}
