// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SystemErrors

extension EdgeFailure {
    /// Classifies an error of connecting to an edge, or of calling its control API.
    init(_ error: any Error, reaching edge: EdgeAddress, through proxy: ProxyAddress? = nil) {
        let address = edge.description
        if let proxy, let failure = ProxyFailure(error, connectingTo: proxy) {
            self = .proxy(proxy, to: edge, failure)
            return
        }
        switch error {
        case let failure as EdgeFailure:
            self = failure
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self.init(first.error, reaching: edge)
            } else {
                self = .unresolved(host: error.host)
            }
        case let error as IOError:
            self = .unreachable(address: address, reason: error.systemReason)
        case ChannelError.connectTimeout:
            self = .unreachable(address: address, reason: "it did not answer in time")
        case let error as HTTPClientError:
            self.init(error, address: address)
        case ChannelError.eof:
            self = .notAnEdge(address: address, reason: Self.closedReason)
        case is HTTPParserError:
            self = .notAnEdge(address: address, reason: "its answer is not HTTP")
        case let error as NIOSSLError where "\(error)".contains("CERTIFICATE_VERIFY_FAILED"):
            self = .untrusted(
                address: address,
                reason: "its certificate is not trusted; --ca-file names the edge's authority"
            )
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self = .untrusted(
                address: address,
                reason: "its certificate is for another name than \(edge.host); use a name that the certificate has"
            )
        case is NIOSSLError where TLSReason.isNoTLS(error), is BoringSSLError where TLSReason.isNoTLS(error):
            self = .otherScheme(address: address, right: edge.withoutTLS.description)
        case let error as NIOSSLError:
            self = .tls(address: address, reason: TLSReason.words(error))
        case let error as BoringSSLError:
            self = .tls(address: address, reason: TLSReason.words(error))
        case is NIOTooManyBytesError:
            self = .notAnEdge(address: address, reason: "its answer is too long")
        case is ChannelError:
            self = .unreachable(address: address, reason: "the connection ended")
        default:
            self = .unreachable(address: address, reason: "\(error)")
        }
    }

    private init(_ error: HTTPClientError, address: String) {
        switch error {
        case .connectTimeout:
            self = .unreachable(address: address, reason: "it did not answer in time")
        case .readTimeout, .deadlineExceeded:
            self = .timedOut(address: address, step: "the answer")
        case .tlsHandshakeTimeout:
            self = .timedOut(address: address, step: "the TLS handshake")
        case .remoteConnectionClosed:
            self = .notAnEdge(address: address, reason: Self.closedReason)
        default:
            self = .unreachable(
                address: address,
                reason: "the HTTP library says “\(error.shortDescription.lowercased())”"
            )
        }
    }
}
