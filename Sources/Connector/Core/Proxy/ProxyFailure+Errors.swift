// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOPosix
import SystemErrors

extension ProxyFailure {
    /// Recognises an error that the proxy caused, not the edge.
    init?(_ error: any Error, connectingTo proxy: ProxyAddress) {
        switch error {
        case let failure as ProxyFailure:
            self = failure
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self = Self.ofConnecting(first.error)
            } else {
                self = .unresolved
            }
        case ChannelError.connectTimeout:
            self = .unreachable("it did not answer in time")
        case let error as HTTPClientError:
            switch error {
            case .proxyAuthenticationRequired: self = .authentication(wasShown: proxy.credentials != nil)
            case .invalidProxyResponse: self = .refused(status: nil)
            case .httpProxyHandshakeTimeout: self = .timedOut
            case .connectTimeout: self = .unreachable("it did not answer in time")
            default: return nil
            }
        default: return nil
        }
    }

    /// Whether a status of the proxy says that it can't reach the edge now, rather than that it does not allow us to.
    static func isTemporary(_ status: Int) -> Bool {
        [408, 429].contains(status) || ((500...599).contains(status) && status != 501 && status != 505)
    }

    private static func ofConnecting(_ error: any Error) -> ProxyFailure {
        if let error = error as? IOError { return .unreachable(error.systemReason) }
        if case ChannelError.connectTimeout = error { return .unreachable("it did not answer in time") }
        return .unreachable("\(error)")
    }

    /// What happened and what to do about it.
    func sentences(proxy: ProxyAddress, edge: EdgeAddress) -> String {
        let destination = Authority(host: edge.host, port: edge.port).text(omittingPort: nil)
        let variable = edge.usesTLS ? "HTTPS_PROXY" : "HTTP_PROXY"
        let otherwise = "correct \(variable), or name \(edge.host) in NO_PROXY if it can be reached without a proxy"
        return switch self {
        case .unresolved:
            "The name of the proxy, \(proxy.host), does not resolve: \(otherwise)."
        case .unreachable(let reason):
            "No proxy answers at \(proxy): \(reason). Is it running? Else \(otherwise)."
        case .timedOut:
            "The proxy at \(proxy) did not open a connection to \(destination) in time. Is the edge running?"
        case .authentication(wasShown: false):
            "The proxy at \(proxy) wants a user name and password (HTTP 407): write them into \(variable),"
                + " as in http://user:password@\(proxy.host):\(proxy.port)."
        case .authentication(wasShown: true):
            "The proxy at \(proxy) refused the user name and password in its URL (HTTP 407): correct \(variable)."
        case .refused(let status?) where Self.isTemporary(status):
            "The proxy at \(proxy) can't reach \(destination) (HTTP \(status)). Is the edge running?"
        case .refused(let status):
            "The proxy at \(proxy) lets nobody through to \(destination)\(status.map { " (HTTP \($0))" } ?? ""):"
                + " ask whoever runs it, or name \(edge.host) in NO_PROXY if it can be reached without a proxy."
        case .notAProxy(let reason):
            "What answers at \(proxy) is not an HTTP proxy: \(reason). To go on, \(otherwise)."
        }
    }
}
